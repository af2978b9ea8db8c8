"""The words by which mail programs introduce what was written before, in many languages."""

# ruff: noqa: RUF001 (letters of other alphabets are meant)


def _words(text: str) -> frozenset[str]:
    return frozenset(each.strip() for each in text.split(","))


WROTE = _words("""
    wrote, writes, schrieb, geschrieben, schreef, geschreven, écrit, ecrit, escribió, escribio,
    escrito, escreveu, scritto, scrisse, skrev, kirjoitti, napisał, napisała, napisal, pisze,
    napsal, napsala, napísal, napísala, írta, scris, написал, написала, пишет, писал, писала,
    написав, έγραψε, yazdı, viết, menulis, rakstīja, rašė, kirjutas, napisao, napisala, pisal,
    escriure, idatzi, كتب, כתב, schreibt, ekrit, skrifaði
""")
"""In the line that says who wrote when."""

WROTE_UNSPACED = _words("""
    写道, 寫道, のメール, 書きました, 작성, 님이
""")
"""The same in languages that put no blanks between words."""

OPENERS = _words("""
    on, am, le, el, il, op, em, w, dnia, den, dne, dňa, på, ti, ke, la, pe, în, at, στις, в, lun,
    mar, mer, jeu, ven, sam, dim, mon, tue, wed, thu, fri, sat, sun, пн, вт, ср, чт, пт, сб, вс,
    dom, gio, mié, jue, vie, sáb, seg, ter, qua, qui, sex
""")
"""How such a line begins, unless with a number."""

ORIGINAL = _words("""
    original, ursprüngliche, ursprungligt, message précédent, oorspronkelijk, oprindelig,
    opprinnelig, alkuperäi, wiadomość oryginalna, oryginalna wiadomość, původní, pôvodná,
    eredeti, исходное, оригинал, первоначальное, αρχικό, özgün, orijinal, thư gốc, pesan asli,
    原始邮件, 原始郵件, 元のメッセージ, 원본, الرسالة الأصلية, הודעה מקורית, izvorna, antwort,
    d'origine, d’origine
""")
"""Between dashes, before a message that is answered."""

FORWARDED = _words("""
    forward, weitergeleitet, transféré, transfere, réexpédi, reenviad, encaminhad, inoltrat,
    doorgestuurd, vidarebefordra, videresend, välitetty, przekazan, přeposlan, preposlan,
    továbbított, пересыла, пересланн, переадрес, προωθημένο, iletilen, 転送, 转发, 轉寄, 전달된,
    redirecionad
""")
"""Between dashes, or before a colon, before a message that is passed on."""

FROM = _words("""
    from, von, de, da, van, från, fra, lähettäjä, od, от, від, kimden, gönderen, feladó,
    expéditeur, mittente, remitente, afzender, από, 发件人, 寄件者, 差出人, 보낸 사람, من, מאת,
    từ, dari
""")
"""The header field of the author, as programs translate it above what they repeat."""

SUBJECT = _words("""
    subject, betreff, objet, asunto, assunto, oggetto, onderwerp, ämne, emne, aihe, temat,
    předmět, predmet, тема, konu, tárgy, subiect, θέμα, 主题, 主旨, 件名, 제목, الموضوع, נושא,
    chủ đề, subjek
""")
"""The field of the subject."""

OTHER_FIELDS = _words("""
    sent, date, to, cc, gesendet, datum, an, envoyé, à, enviado, para, data, fecha, inviato, a,
    verzonden, aan, skickat, till, sendt, til, lähetetty, vastaanottaja, päivämäärä, wysłano,
    wysłane, do, odesláno, komu, odoslané, отправлено, дата, кому, tarih, gönderilme tarihi,
    kime, elküldve, címzett, dátum, trimis, către, στάλθηκε, ημερομηνία, προς, 发送时间, 时间,
    日期, 收件人, 寄件日期, 收件者, 送信日時, 日時, 宛先, 보낸 날짜, 받는 사람, kepada, tanggal,
    đến, ngày
""")
"""Other fields that stand with them."""
