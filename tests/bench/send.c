/* Sends mail by SMTP, one connection for each message, as smtp-source(1) does.
 *
 * smtp-source itself cannot name another alias for each message, nor number those of a file.
 *
 * usage: send PORT SESSIONS COUNT FIRST SENDER MESSAGE RECIPIENTS
 */
#include "letter.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

static int port;
static const char *envelope_sender;

/* Writes a command and reads a reply of one or more lines; gives its first digit, 0 at an error. */
static int say(int socket, const char *text, size_t length)
{
    char reply[4096];
    size_t got = 0;
    for (size_t done = 0; done < length;) {
        ssize_t n = send(socket, text + done, length - done, MSG_NOSIGNAL);
        if (n <= 0)
            return 0;
        done += n;
    }
    for (;;) {
        ssize_t n = recv(socket, reply + got, sizeof reply - 1 - got, 0);
        if (n <= 0)
            return 0;
        got += n;
        reply[got] = 0;
        if (reply[got - 1] != '\n')
            continue;
        char *line = reply;
        for (char *end; (end = strchr(line, '\n')) && end[1]; line = end + 1)
            ;
        if (line[3] == ' ')
            return line[0] - '0';
    }
}

static int deliver(const char *copy, size_t length, const char *to)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int on = 1, handle = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(handle, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (handle < 0 || connect(handle, (struct sockaddr *)&address, sizeof address))
        die("connect");
    char mail[600], rcpt[600], room[512];
    snprintf(mail, sizeof mail, "MAIL FROM:<%s>\r\n", envelope_sender);
    int done = say(handle, "", 0) == 2 && say(handle, "HELO client.example.net\r\n", 25) == 2 &&
               say(handle, mail, strlen(mail)) == 2;
    for (const char *each; done && (each = letter_next(&to, room, sizeof room));) {
        snprintf(rcpt, sizeof rcpt, "RCPT TO:<%s>\r\n", each);
        done = say(handle, rcpt, strlen(rcpt)) == 2;
    }
    done = done && say(handle, "DATA\r\n", 6) == 3 && say(handle, copy, length) == 2;
    say(handle, "QUIT\r\n", 6);
    close(handle);
    return done;
}

static void *work(void *argument)
{
    struct letter *l = argument;
    size_t length = l->length;
    char *copy = malloc(length + 5);
    memcpy(copy, l->text, length);
    memcpy(copy + length, ".\r\n", 4);
    for (long n; (n = atomic_fetch_add(&l->next, 1)) < l->count;) {
        letter_address(l, copy, n);
        double began = now();
        if (!deliver(copy, length + 3, letter_to(l, n)))
            atomic_fetch_add(&l->refused, 1);
        l->latency[n] = now() - began;
    }
    free(copy);
    return NULL;
}

int main(int count, char **arguments)
{
    if (count != 8)
        return 2;
    static struct letter l;
    port = atoi(arguments[1]);
    l.count = atol(arguments[3]);
    l.first = atol(arguments[4]);
    envelope_sender = arguments[5];
    letter_read(&l, arguments[6], arguments[7]);
    return letter_run(&l, atoi(arguments[2]), work);
}
