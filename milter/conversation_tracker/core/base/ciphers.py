"""The ciphers of documents that open without a password: RC4, and AES of a library.

What uses them knows which, and finds the key. Nothing here raises for any key of a size that its
cipher has.
"""

from itertools import islice

_BLOCK = 16  # octets


def apply_rc4(key: bytes, data: bytes) -> bytes:
    """Encrypt or decrypt with RC4, which is the same.

    Args:
        key: 1 to 256 octets.
        data: any octets.
    """
    state = list(range(256))
    j = 0
    for i, octet in enumerate(islice(key * (256 // len(key) + 1), 256)):
        j = (j + state[i] + octet) & 255
        state[i], state[j] = state[j], state[i]
    stream = bytearray(len(data))
    j = 0
    for n in range(len(data)):
        i = (n + 1) & 255
        one = state[i]
        j = (j + one) & 255
        two = state[j]
        state[i], state[j] = two, one
        stream[n] = state[(one + two) & 255]
    mixed = int.from_bytes(stream, "big") ^ int.from_bytes(data, "big")
    return mixed.to_bytes(len(data), "big")


def decrypt_cbc(key: bytes, start: bytes, data: bytes) -> bytes:
    """Decrypt the whole blocks of octets with AES, each mixed with the one before (CBC).

    Args:
        key: 16 or 32 octets.
        start: 16 octets, mixed with the first block.
        data: any octets; what is no whole block behind the last one is left out.
    """
    return _use_aes(key, start, data, encrypt=False)


def encrypt_cbc(key: bytes, start: bytes, data: bytes) -> bytes:
    """Encrypt the whole blocks of octets with AES; as `decrypt_cbc`."""
    return _use_aes(key, start, data, encrypt=True)


def _use_aes(key: bytes, start: bytes, data: bytes, *, encrypt: bool) -> bytes:
    # It takes 70 ms and 11 MB to begin with: few messages have such a file.
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    cipher = Cipher(algorithms.AES(key), modes.CBC(start))
    tool = cipher.encryptor() if encrypt else cipher.decryptor()
    return tool.update(data[: len(data) - len(data) % _BLOCK])
