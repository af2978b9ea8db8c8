/* A milter that takes every callback and does nothing: what the protocol itself costs.
 *
 * usage: idle SOCKET
 */
#include <libmilter/mfapi.h>
#include <stddef.h>

static sfsistat connected(SMFICTX *c, char *name, _SOCK_ADDR *address) { return SMFIS_CONTINUE; }
static sfsistat helo(SMFICTX *c, char *name) { return SMFIS_CONTINUE; }
static sfsistat sender(SMFICTX *c, char **arguments) { return SMFIS_CONTINUE; }
static sfsistat recipient(SMFICTX *c, char **arguments) { return SMFIS_CONTINUE; }
static sfsistat data(SMFICTX *c) { return SMFIS_CONTINUE; }
static sfsistat header(SMFICTX *c, char *name, char *value) { return SMFIS_CONTINUE; }
static sfsistat header_end(SMFICTX *c) { return SMFIS_CONTINUE; }
static sfsistat body(SMFICTX *c, unsigned char *chunk, size_t length) { return SMFIS_CONTINUE; }
static sfsistat message_end(SMFICTX *c) { return SMFIS_CONTINUE; }
static sfsistat aborted(SMFICTX *c) { return SMFIS_CONTINUE; }
static sfsistat closed(SMFICTX *c) { return SMFIS_CONTINUE; }

int main(int count, char **arguments)
{
    struct smfiDesc milter = {
        .xxfi_name = "idle",
        .xxfi_version = SMFI_VERSION,
        .xxfi_connect = connected,
        .xxfi_helo = helo,
        .xxfi_envfrom = sender,
        .xxfi_envrcpt = recipient,
        .xxfi_data = data,
        .xxfi_header = header,
        .xxfi_eoh = header_end,
        .xxfi_body = body,
        .xxfi_eom = message_end,
        .xxfi_abort = aborted,
        .xxfi_close = closed,
    };
    if (count != 2 || smfi_setconn(arguments[1]) || smfi_register(milter))
        return 2;
    return smfi_main();
}
