"""Every time-out, pause and interval of the program, in one value; its unit stands in each name.

What one message may use of the processor is no time-out but a limit of the core (`find_seconds`);
what the parent allows beyond follows from it here.

Whoever needs one asks `get` for it when it is needed, not when it is imported: tests put another
value in its place with `use`, before the process forks.
"""

from dataclasses import dataclass

from conversation_tracker.core.base.limits import MAX_WAIT, MOST_SECONDS


@dataclass(frozen=True, slots=True)
class ServerTimeouts:
    """How long the database server may take; 0 is for ever.

    Attributes:
        statement_milliseconds: for a statement.
        lock_milliseconds: to wait for a lock.
        idle_milliseconds: to wait for our next statement within a transaction.
    """

    statement_milliseconds: int
    lock_milliseconds: int
    idle_milliseconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """All of them.

    All waits of a message for the database together end well inside Postfix's
    milter_content_timeout of 300 s, and milter_command_timeout of 30 s for RCPT.
    """

    # The database: connections.
    connect_seconds: int = 5
    connect_each_seconds: int = 2
    """To connect to each of several hosts."""
    network_seconds: float = 10.0
    """The network may keep what was sent."""
    keepalive_seconds: int = 30
    pool_seconds: float = 5.0
    """To wait for a connection, for a row that this process works on, for a server to be back."""
    pool_reconnect_seconds: float = 1.0
    pool_close_seconds: float = 1.0
    first_lock_milliseconds: int = 200
    """To wait for a lock on a connection that others may need."""
    together_lock_milliseconds: int = 20
    """To wait for a lock while others are written in the same transaction."""
    together_seconds: float = 0.1
    """For a record to wait until it is written together with others; then it goes by itself."""

    # The database: the server.
    mail: ServerTimeouts = ServerTimeouts(8_000, 5_000, 15_000)
    erase: ServerTimeouts = ServerTimeouts(1_800_000, 5_000, 15_000)
    """It looks at every identifier there is; mail of their orders waits for its end alone."""
    erase_again: ServerTimeouts = ServerTimeouts(0, 5_000, 15_000)
    """It erases as many people as a restored backup brought back, one after another."""
    expiry: ServerTimeouts = ServerTimeouts(15_000, 2_000, 15_000)
    expiry_batch_seconds: float = 60.0
    """A batch may take, whatever the server and the network do."""
    expiry_pause_seconds: float = 1.0
    """Between passes."""
    migration: ServerTimeouts = ServerTimeouts(0, 0, 0)
    migration_lock_milliseconds: int = 4_000
    """To wait for a table; mail, which waits behind, waits for longer."""
    migration_numbering_seconds: float = 5.0
    """For older addresses to get the number of their store; the publisher does the rest."""
    database_poll_seconds: float = 1.0
    """Between tries while the database is away at the start."""
    announcement_gather_seconds: float = 0.05
    announcement_retry_seconds: float = 1.0
    directory_poll_seconds: float = 0.3
    """Between questions whether a store has changed."""

    # A message.
    processor_seconds: float = 1.5 * MOST_SECONDS
    """Of the processor, for one message."""
    running_seconds: float = 1.25 * MAX_WAIT
    """One message may run, whatever its thread is at."""
    waiting_seconds: float = 300.0
    """One message may wait for the database; Postfix waits no longer."""
    silent_seconds: float = 3.0
    """Of a process's processor time in which no Python ran: one call holds all of it up."""
    clock_step_seconds: float = 2.0
    """At most that one look at the clock adds."""
    admission_seconds: float = 100.0
    """For a large message to wait until there is room for it."""
    verdict_seconds: float = 3.0
    """For the parent to notice that a process has ended."""
    poll_seconds: float = 0.02
    """Between looks at what ends in a moment."""
    trial_turn_seconds: float = 60.0
    """For a suspect to wait for its turn."""
    trial_spare_seconds: float = 60.0
    """Beyond the longest that a message may run, for the answer of its trial."""

    # The service.
    worker_grace_seconds: float = 15.0
    """For messages that are being decided on, when a worker ends."""
    worker_courtesy_seconds: float = 3.0
    """For clients that are connected then, whatever they are at."""
    worker_quiet_seconds: float = 0.3
    """From a connection to its first word, or from a decision to its answer."""
    worker_head_start_seconds: float = 5.0
    """To get to know the domains before the first connection is taken."""
    worker_sample_seconds: float = 1.0
    """Between looks at what waits."""
    worker_feed_seconds: float = 15.0
    """Between looks at how far the feed is behind."""
    worker_stuck_seconds: float = 60.0
    """In which no Python ran at all; then a worker ends itself."""
    beat_seconds: float = 1.0
    """Between signs of life of a worker, and between the parent's looks at all of them."""
    suspect_retry_seconds: float = 2.0
    suspect_write_seconds: int = 30
    """For the database to take a finding."""
    process_spare_seconds: float = 60.0
    """A process may live beyond all that a message may take; only one that hangs elsewhere does."""
    supervisor_grace_seconds: float = 20.0
    """For a worker to finish what is in flight."""
    supervisor_young_seconds: float = 5.0
    """A worker that dies younger than this died at once."""
    supervisor_pause_seconds: float = 0.5
    """Between two starts where a worker died at once."""
    supervisor_tick_seconds: float = 1.0
    """Between looks at workers and watchdog."""
    supervisor_poll_seconds: float = 0.05
    """Between looks at workers that end."""
    status_seconds: float = 5.0
    """Between looks at what the status line should say."""
    notify_seconds: float = 0.5
    """For systemd to take a word."""

    # Metrics.
    metrics_request_seconds: float = 10.0
    """A client has for its request."""
    metrics_retry_seconds: float = 10.0
    """Until an exporter that died is started again."""

    # follow.
    follow_sign_seconds: float = 30.0
    """Between two signs of life."""
    follow_poll_seconds: float = 0.5
    """Between looks at a quiet log, and at a database that is away."""
    follow_retry_seconds: float = 2.0
    """Until a log that cannot be read is tried again."""
    log_quiet_seconds: float = 2.0
    """Whoever wrote to a log before its rotation may finish."""
    journal_answer_seconds: float = 30.0
    journal_steady_seconds: float = 5.0
    """A journalctl that cannot read says so and ends before."""
    journal_end_seconds: float = 2.0

    # publish.
    publish: ServerTimeouts = ServerTimeouts(30_000, 5_000, 15_000)
    publish_step_seconds: float = 60.0
    """A step may take, whatever the server and the network do."""
    publish_poll_seconds: float = 0.5
    """Between turns, where there is nothing more to do at once."""
    publish_lock_seconds: float = 1.0
    """Between tries while another process publishes."""
    publish_idle_milliseconds: int = 180_000
    """Of silence; then the server takes the lock from a publisher that hangs or is cut off."""
    publish_end_seconds: float = 8.0
    """For what goes on beside the turns to end."""
    publish_again_seconds: float = 10.0
    """Until what went on beside the turns, and failed, is started again."""

    # Webhooks.
    webhooks: ServerTimeouts = ServerTimeouts(8_000, 500, 15_000)
    webhook_step_seconds: float = 30.0
    """One question may take, whatever the server and the network do."""
    webhook_resolve_seconds: float = 10.0
    """For the system to know a receiver's addresses."""
    webhook_connect_seconds: float = 5.0
    """To each address of a receiver, and for its TLS."""
    webhook_read_seconds: float = 15.0
    """Of silence, while an answer is waited for."""
    webhook_total_seconds: float = 20.0
    """For one try, whatever the receiver does."""
    webhook_turn_seconds: float = 10.0
    """One receiver may have a thread, where others wait for one."""
    webhook_slow_seconds: float = 5.0
    """A turn that takes longer is that of a slow receiver."""
    webhook_poll_seconds: float = 1.0
    """Between looks for what is to be sent."""
    webhook_grace_seconds: float = 3.0
    """For tries that are under way, when sending ends."""
    webhook_retry_seconds: float = 5.0
    """Until a database that failed is asked again."""

    # What is taken out of recorded messages.
    text_turn_seconds: float = 5.0
    """Of a turn, after which no other message is begun."""
    text_processor_seconds: float = 5.0
    """Of the processor, for text and files of one message."""
    page_processor_seconds: float = 2.0
    """Of the processor, for its page."""
    text_seconds: float = 20.0
    """For one try of a message in the process that reads; two and a turn are less than a step."""
    text_end_seconds: float = 1.0
    """To see what a process that answers no more died of."""
    text_look_back_seconds: float = 60.0
    """Between two longer looks back for what came late."""
    text_again_seconds: float = 86_400.0
    """Between two looks at all messages that there are."""

    # web.
    web: ServerTimeouts = ServerTimeouts(9_000, 1_000, 10_000)
    web_head_seconds: float = 10.0
    """A client has for the head of a request, and for the body of one."""
    web_idle_seconds: int = 75
    """A connection may stay open without a request; proxies keep theirs for a minute."""
    web_answer_seconds: float = 20.0
    """For an answer to be made."""
    web_send_seconds: float = 300.0
    """From a request's first octet to the last of its answer, whatever the client does."""
    web_retry_seconds: int = 5
    """For whom there is no answer now, until they ask again."""
    web_end_seconds: float = 4.0
    """For answers that are under way when it ends."""
    web_beat_seconds: float = 10.0
    """Between two signs of life."""
    web_pool_seconds: float = 60.0
    """A former configuration's connections are kept, for answers that are under way."""

    # check, and Postfix's own programs.
    postfix_program_seconds: float = 30.0
    check_socket_seconds: float = 5.0
    check_systemd_seconds: float = 20.0
    check_metrics_seconds: float = 3.0
    check_dns_seconds: float = 10.0
    check_store_seconds: float = 1.0
    """For all workers to know a store that was added."""
    check_live_seconds: float = 60.0
    """For mail of a test order to go out and come back."""
    check_left_seconds: float = 600.0
    """After which a test that is not removed is nobody's any more."""
    check_poll_seconds: float = 0.1
    check_smtp_seconds: float = 10.0
    """For each answer."""
    check_milter_seconds: float = 60.0
    """For all answers of a milter together."""


_current = Timeouts()


def get() -> Timeouts:
    """Return what is in force in this process."""
    return _current


def use(given: Timeouts) -> Timeouts:
    """Put others in force, in this process and those that it forks.

    Args:
        given: the others.

    Returns:
        Those that were in force.
    """
    global _current
    before, _current = _current, given
    return before
