/* A milter that makes the tracker's edits and nothing else: what they cost at the least.
 *
 * It asks for the callbacks that the tracker asks for, answers those that it answers, and keeps the
 * body until the end. Then it edits as the tracker edits mail to an alias: another envelope
 * sender, five fields changed and three deleted, one added, the whole body replaced, and another
 * recipient in place of each. It looks nothing up, decides nothing and records nothing.
 *
 * usage: edit SOCKET
 */
#include <libmilter/mfapi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECIPIENTS 16
#define ALIAS "<2b83aa1ca49c4e15baf680d7f9d47078@ct.example.com>"

struct message {
    char *recipients[RECIPIENTS];
    int count;
    unsigned char *body;
    size_t length, room;
};

static const char *const changed[][2] = {
    /* last to first, as the tracker does it; NULL deletes */
    {"X-Campaign", NULL},
    {"X-Mailer", NULL},
    {"Message-ID", "<m-3d5ada31e78cd348432ea462ed28af47@ct.example.com>"},
    {"Reply-To", ALIAS},
    {"To", "<buyer1@customers.example>"},
    {"From", "\"Parcel service\" " ALIAS},
    {"Received", NULL},
};

static const unsigned long steps = SMFIP_NOCONNECT | SMFIP_NODATA | SMFIP_NOEOH | SMFIP_NOUNKNOWN |
                                   SMFIP_NR_HELO | SMFIP_NR_MAIL | SMFIP_NR_HDR | SMFIP_NR_BODY;

static void clear(SMFICTX *c)
{
    struct message *m = smfi_getpriv(c);
    if (!m)
        return;
    while (m->count)
        free(m->recipients[--m->count]);
    free(m->body);
    free(m);
    smfi_setpriv(c, NULL);
}

static sfsistat negotiate(SMFICTX *c, unsigned long actions, unsigned long offered, unsigned long a,
                          unsigned long b, unsigned long *want, unsigned long *take,
                          unsigned long *x, unsigned long *y)
{
    if ((offered & steps) != steps)
        return SMFIS_REJECT;
    smfi_setsymlist(c, SMFIM_CONNECT, "i");
    smfi_setsymlist(c, SMFIM_HELO, "i");
    smfi_setsymlist(c, SMFIM_ENVFROM, "{auth_authen} {client_addr} {daemon_addr} {daemon_name}");
    smfi_setsymlist(c, SMFIM_ENVRCPT, "i");
    smfi_setsymlist(c, SMFIM_EOM, "i");
    *want = actions;
    *take = steps;
    *x = *y = 0;
    return SMFIS_CONTINUE;
}

static sfsistat helo(SMFICTX *c, char *name) { return SMFIS_NOREPLY; }

static sfsistat sender(SMFICTX *c, char **arguments)
{
    clear(c);
    smfi_setpriv(c, calloc(1, sizeof(struct message)));
    return SMFIS_NOREPLY;
}

static sfsistat recipient(SMFICTX *c, char **arguments)
{
    struct message *m = smfi_getpriv(c);
    if (m->count == RECIPIENTS)
        return SMFIS_TEMPFAIL;
    m->recipients[m->count++] = strdup(arguments[0]);
    return SMFIS_CONTINUE;
}

static sfsistat header(SMFICTX *c, char *name, char *value) { return SMFIS_NOREPLY; }

static sfsistat body(SMFICTX *c, unsigned char *chunk, size_t length)
{
    struct message *m = smfi_getpriv(c);
    if (m->length + length > m->room)
        m->body = realloc(m->body, m->room = (m->length + length) * 2);
    memcpy(m->body + m->length, chunk, length);
    m->length += length;
    return SMFIS_NOREPLY;
}

static sfsistat message_end(SMFICTX *c)
{
    struct message *m = smfi_getpriv(c);
    int failed = smfi_chgfrom(c, "<bounce-5b8065cf56dc4b8890de49e27f6a0e19@ct.example.com>",
                              "RET=HDRS ENVID=4ZJXYz0abcz1");
    for (size_t i = 0; i < sizeof changed / sizeof *changed; i++)
        failed |= smfi_chgheader(c, (char *)changed[i][0], 1, (char *)changed[i][1]);
    failed |= smfi_addheader(c, "X-Conversation-Hops", "1");
    failed |= smfi_replacebody(c, m->body, m->length);
    for (int i = 0; i < m->count; i++) {
        char to[64];
        snprintf(to, sizeof to, "<buyer%d@customers.example>", i);
        failed |= smfi_delrcpt(c, m->recipients[i]) | smfi_addrcpt(c, to);
    }
    clear(c);
    return failed ? SMFIS_TEMPFAIL : SMFIS_CONTINUE;
}

static sfsistat aborted(SMFICTX *c)
{
    clear(c);
    return SMFIS_CONTINUE;
}

int main(int count, char **arguments)
{
    struct smfiDesc milter = {
        .xxfi_name = "edit",
        .xxfi_version = SMFI_VERSION,
        .xxfi_flags = SMFIF_ADDHDRS | SMFIF_CHGHDRS | SMFIF_CHGBODY | SMFIF_ADDRCPT |
                      SMFIF_DELRCPT | SMFIF_CHGFROM | SMFIF_SETSYMLIST,
        .xxfi_negotiate = negotiate,
        .xxfi_helo = helo,
        .xxfi_envfrom = sender,
        .xxfi_envrcpt = recipient,
        .xxfi_header = header,
        .xxfi_body = body,
        .xxfi_eom = message_end,
        .xxfi_abort = aborted,
        .xxfi_close = aborted,
    };
    if (count != 2 || smfi_setconn(arguments[1]) || smfi_register(milter))
        return 2;
    return smfi_main();
}
