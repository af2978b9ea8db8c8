/* Speaks the milter protocol, version 6, as Postfix 3.7 does, to a milter on a unix socket.
 *
 * Writes are gathered until a reply is needed; what the milter asked for at the start is honoured:
 * which events it wants, which it answers. Macros come before each event, ABORT after each message.
 * A connection stays for all its messages.
 *
 * usage: drive SOCKET CONNECTIONS COUNT FIRST SENDER MESSAGE RECIPIENTS
 */
#include "letter.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <sys/un.h>

enum { /* what a milter may ask not to be sent, or not to have to answer */
    NO_CONNECT = 1, NO_HELO = 2, NO_MAIL = 4, NO_RCPT = 8, NO_BODY = 0x10, NO_HEADER = 0x20,
    NO_EOH = 0x40, MUTE_HEADER = 0x80, NO_DATA = 0x200, MUTE_CONNECT = 0x1000, MUTE_HELO = 0x2000,
    MUTE_MAIL = 0x4000, MUTE_RCPT = 0x8000, MUTE_DATA = 0x10000, MUTE_EOH = 0x40000,
    MUTE_BODY = 0x80000, LEADING_SPACE = 0x100000,
    OFFERED = 0x1fffff, ACTIONS = 0x1ff, CHUNK = 65535
};

struct line {
    int socket;
    uint32_t flags;
    char *out, *in;
    size_t filled, room, got, read, space;
};

static const char *path, *envelope_sender;

static void put(struct line *x, const void *data, size_t length)
{
    if (x->filled + length > x->room)
        x->out = realloc(x->out, x->room = (x->filled + length) * 2);
    memcpy(x->out + x->filled, data, length);
    x->filled += length;
}

static size_t begin(struct line *x, char command)
{
    size_t at = x->filled;
    put(x, "\0\0\0\0", 4);
    put(x, &command, 1);
    return at;
}

static void finish(struct line *x, size_t at)
{
    uint32_t length = htonl(x->filled - at - 4);
    memcpy(x->out + at, &length, 4);
}

static void text(struct line *x, const char *value) { put(x, value, strlen(value) + 1); }

static void macros(struct line *x, char command, const char *const *pairs)
{
    size_t at = begin(x, 'D');
    put(x, &command, 1);
    while (*pairs)
        text(x, *pairs++);
    finish(x, at);
}
#define MACROS(x, command, ...) macros(x, command, (const char *[]){__VA_ARGS__, NULL})

static void flush(struct line *x)
{
    for (size_t done = 0; done < x->filled;) {
        ssize_t n = send(x->socket, x->out + done, x->filled - done, MSG_NOSIGNAL);
        if (n <= 0)
            die("send");
        done += n;
    }
    x->filled = 0;
}

static void need(struct line *x, size_t length)
{
    if (x->read == x->got)
        x->read = x->got = 0;
    if (x->read + length > x->space)
        x->in = realloc(x->in, x->space = x->read + length + 65536);
    while (x->got - x->read < length) {
        ssize_t n = recv(x->socket, x->in + x->got, x->space - x->got, 0);
        if (n <= 0)
            die("recv");
        x->got += n;
    }
}

/* Gives the next packet's command; *data is what follows it. */
static char packet(struct line *x, char **data)
{
    uint32_t length;
    need(x, 4);
    memcpy(&length, x->in + x->read, 4);
    length = ntohl(length);
    need(x, 4 + length);
    *data = x->in + x->read + 5;
    x->read += 4 + length;
    return (*data)[-1];
}

static char answer(struct line *x, int mute)
{
    char *data, command = 'c';
    if (x->flags & mute)
        return command;
    flush(x);
    while ((command = packet(x, &data)) == 'p')
        ;
    return command;
}

/* Sends one event of one or two texts, unless it is not wanted; gives the answer. */
static char event(struct line *x, char command, int unwanted, int mute, const char *a, const char *b)
{
    if (x->flags & unwanted)
        return 'c';
    size_t at = begin(x, command);
    if (a)
        text(x, a);
    if (b) {
        if (command == 'L' && x->flags & LEADING_SPACE)
            put(x, " ", 1);
        text(x, b);
    }
    finish(x, at);
    return answer(x, mute);
}

static void open_line(struct line *x)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    x->socket = socket(AF_UNIX, SOCK_STREAM, 0);
    if (x->socket < 0 || connect(x->socket, (struct sockaddr *)&address, sizeof address))
        die(path);
    uint32_t offer[3] = {htonl(6), htonl(ACTIONS), htonl(OFFERED)};
    size_t at = begin(x, 'O');
    put(x, offer, sizeof offer);
    finish(x, at);
    flush(x);
    char *data;
    if (packet(x, &data) != 'O')
        die("negotiation");
    memcpy(offer, data, sizeof offer);
    x->flags = ntohl(offer[2]);
    MACROS(x, 'C', "j", "mail.example.com", "{daemon_name}", "smtpd", "v", "Postfix 3.7.11");
    if (!(x->flags & NO_CONNECT)) {
        at = begin(x, 'C');
        text(x, "client.example.net");
        put(x, "4\x09\xc4", 3);
        text(x, "127.0.0.1");
        finish(x, at);
        answer(x, MUTE_CONNECT);
    }
    event(x, 'H', NO_HELO, MUTE_HELO, "client.example.net", NULL);
}

/* Sends the header fields of a text that holds one in a line, and whatever continues it. */
static void headers(struct line *x, char *at, char *end, const char *queue_id)
{
    while (at < end) {
        char *name = at, *colon = strchr(at, ':'), *value = colon + 1, *line = value;
        while ((line = strstr(line, "\r\n")) && (line[2] == ' ' || line[2] == '\t'))
            line += 2;
        at = line + 2;
        char *field = strndup(value + (*value == ' '), line - value - (*value == ' ')), *to = field;
        for (char *from = field; *from; from++)
            if (*from != '\r')
                *to++ = *from;
        *to = 0;
        *colon = 0;
        MACROS(x, 'L', "i", queue_id);
        event(x, 'L', NO_HEADER, MUTE_HEADER, name, field);
        *colon = ':';
        free(field);
    }
}

static int message(struct line *x, char *copy, const struct letter *l, long number)
{
    char queue_id[32], mail[600], rcpt[600], *data;
    snprintf(queue_id, sizeof queue_id, "4%08lX", l->first + number);
    snprintf(mail, sizeof mail, "<%s>", envelope_sender);
    snprintf(rcpt, sizeof rcpt, "<%s>", letter_to(l, number));
    MACROS(x, 'M', "{auth_authen}", "", "{client_addr}", "127.0.0.1", "{daemon_name}", "smtpd");
    event(x, 'M', NO_MAIL, MUTE_MAIL, mail, NULL);
    MACROS(x, 'R', "{rcpt_addr}", letter_to(l, number), "{rcpt_mailer}", "smtp");
    if (event(x, 'R', NO_RCPT, MUTE_RCPT, rcpt, NULL) != 'c')
        return 0;
    event(x, 'T', NO_DATA, MUTE_DATA, NULL, NULL);
    headers(x, copy, copy + l->body - 2, queue_id);
    event(x, 'N', NO_EOH, MUTE_EOH, NULL, NULL);
    for (size_t at = l->body; at < l->length && !(x->flags & NO_BODY); at += CHUNK) {
        size_t length = l->length - at < CHUNK ? l->length - at : CHUNK;
        MACROS(x, 'B', "i", queue_id);
        size_t start = begin(x, 'B');
        put(x, copy + at, length);
        finish(x, start);
        if (answer(x, MUTE_BODY) == 's')
            break;
        if (x->filled > 1 << 20)
            flush(x);
    }
    MACROS(x, 'E', "i", queue_id);
    size_t start = begin(x, 'E');
    finish(x, start);
    flush(x);
    for (;;)
        switch (packet(x, &data)) {
        case 'c':
        case 'a':
            return 1;
        case 't':
        case 'r':
        case 'y':
        case 'd':
            return 0;
        }
}

static void *work(void *argument)
{
    struct letter *l = argument;
    struct line x = {0};
    char *copy = malloc(l->length + 1);
    memcpy(copy, l->text, l->length + 1);
    open_line(&x);
    for (long n; (n = atomic_fetch_add(&l->next, 1)) < l->count;) {
        letter_address(l, copy, n);
        double began = now();
        if (!message(&x, copy, l, n))
            atomic_fetch_add(&l->refused, 1);
        l->latency[n] = now() - began;
        finish(&x, begin(&x, 'A'));
        flush(&x);
    }
    finish(&x, begin(&x, 'Q'));
    flush(&x);
    close(x.socket);
    free(copy);
    return NULL;
}

int main(int count, char **arguments)
{
    if (count != 8)
        return 2;
    static struct letter l;
    path = arguments[1];
    l.count = atol(arguments[3]);
    l.first = atol(arguments[4]);
    envelope_sender = arguments[5];
    letter_read(&l, arguments[6], arguments[7]);
    return letter_run(&l, atoi(arguments[2]), work);
}
