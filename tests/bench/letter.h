/* What both generators send: one message, numbered anew each time, and whom it goes to in turn. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define NUMBER "NNNNNNNNNN" /* where the number of the message goes */
#define MAILBOX "TTTTTTTTTTTTTTTTTTTTTTTTTTTTTTTT" /* and the recipient's local part, as long */
#define OTHER "UUUUUUUUUUUUUUUUUUUUUUUUUUUUUUUU"   /* and that of the second one, if there is one */
#define MARKS 8

struct marks {
    size_t at[MARKS];
    int count;
};

struct letter {
    char *text;
    size_t length, body; /* body: where it begins */
    struct marks numbers, mailboxes, others;
    char **to;
    long recipients, first, count;
    atomic_long next, refused;
    double *latency;
};

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static char *whole_file(const char *path, size_t *length)
{
    FILE *file = fopen(path, "rb");
    if (!file)
        die(path);
    fseek(file, 0, SEEK_END);
    *length = ftell(file);
    rewind(file);
    char *text = malloc(*length + 1);
    if (fread(text, 1, *length, file) != *length)
        die(path);
    text[*length] = 0;
    fclose(file);
    return text;
}

static void find(struct marks *found, const char *text, const char *mark)
{
    for (const char *at = text; found->count < MARKS && (at = strstr(at, mark)); at++)
        found->at[found->count++] = at - text;
}

/* Reads the message (CRLF, with a header block) and the recipients, a message's in a line. */
static void letter_read(struct letter *l, const char *message, const char *recipients)
{
    l->text = whole_file(message, &l->length);
    char *body = strstr(l->text, "\r\n\r\n");
    if (!body)
        die("no body");
    l->body = body + 4 - l->text;
    find(&l->numbers, l->text, NUMBER);
    find(&l->mailboxes, l->text, MAILBOX);
    find(&l->others, l->text, OTHER);
    size_t length;
    char *list = whole_file(recipients, &length);
    l->to = calloc(length + 1, sizeof *l->to);
    for (char *line = strtok(list, "\n"); line; line = strtok(NULL, "\n"))
        l->to[l->recipients++] = line;
    l->latency = calloc(l->count, sizeof *l->latency);
}

static const char *letter_to(const struct letter *l, long number)
{
    return l->to[(l->first + number) % l->recipients];
}

/* Gives the next recipient of a line, which *at goes through; NULL after the last. */
static const char *letter_next(const char **at, char *room, size_t size)
{
    size_t length = strcspn(*at, " ");
    if (!length || length >= size)
        return NULL;
    memcpy(room, *at, length);
    room[length] = 0;
    *at += length;
    *at += **at == ' ';
    return room;
}

/* Puts the number and the recipients into a copy of the text. */
static void letter_address(const struct letter *l, char *copy, long number)
{
    char digits[32];
    const char *second = strchr(letter_to(l, number), ' ');
    snprintf(digits, sizeof digits, "%010ld", l->first + number);
    for (int i = 0; i < l->numbers.count; i++)
        memcpy(copy + l->numbers.at[i], digits, sizeof NUMBER - 1);
    for (int i = 0; i < l->mailboxes.count; i++)
        memcpy(copy + l->mailboxes.at[i], letter_to(l, number), sizeof MAILBOX - 1);
    for (int i = 0; i < l->others.count && second; i++)
        memcpy(copy + l->others.at[i], second + 1, sizeof OTHER - 1);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Runs `work` in so many threads until all messages are sent, and tells in JSON how it went. */
static int letter_run(struct letter *l, int threads, void *(*work)(void *))
{
    pthread_t *ids = calloc(threads, sizeof *ids);
    double started = now();
    for (int i = 0; i < threads; i++)
        if (pthread_create(&ids[i], NULL, work, l))
            die("pthread_create");
    for (int i = 0; i < threads; i++)
        pthread_join(ids[i], NULL);
    double seconds = now() - started;
    qsort(l->latency, l->count, sizeof *l->latency, compare);
    printf("{\"seconds\": %.6f, \"refused\": %ld, \"median_ms\": %.3f, \"slow_ms\": %.3f}\n", seconds,
           atomic_load(&l->refused), l->latency[l->count / 2] * 1e3,
           l->latency[l->count * 99 / 100] * 1e3);
    return 0;
}
