"""The line: one exchange at a time, by priority, and no answer is ever taken for another's."""

from __future__ import annotations

import asyncio
import logging
from functools import partial

import pytest
from toy import answer, ask, read, request

from meterhub.errors import BadFrame, BadInput, Dropped, LinkDown, Misuse, NoAnswer, Refused
from meterhub.field.dialogue import Ask
from meterhub.field.line import Job, Priority
from meterhub.field.link import LinkFacts


async def test_a_read_ends_with_the_meters_value(line, wire):
    wire.expect(request(1, 5)).answer(answer(1, 5, 42))
    assert await line.run("m-1", "1", "toy", lambda: read(1, 5), priority=Priority.OPERATOR) == [42]
    wire.finish()
    assert line.figures.answers == line.figures.tries == 1
    assert line.figures.bytes_in == line.figures.bytes_out == 5
    assert line.standing("m-1").last_good_ms is not None


async def test_split_glued_and_noisy_bytes_still_give_the_answer(line, wire):
    whole = b"\x00\xff" + answer(1, 5, 42)
    wire.expect().answer(whole[:3], whole[3:5], whole[5:])
    wire.expect().answer(answer(9, 9, 9) + answer(1, 6, 43) + answer(9, 9, 9))
    assert await line.run("m-1", "1", "toy", lambda: read(1, 5, 6), priority=Priority.OPERATOR) == [42, 43]
    assert line.figures.foreign == 2
    assert line.garbage_bytes == 2


async def test_only_one_exchange_is_in_flight(line, wire, results, clock):
    for address in (1, 2):
        wire.expect(request(address, 1)).answer(answer(address, 1), after_s=0.2)
        line.submit(results.reading(f"r{address}", address, 1))
    await clock.advance(0.1)
    assert len(wire.sent) == 1
    await clock.advance(1)
    assert results.names == ["r1", "r2"]
    assert wire.sent_at[1] == pytest.approx(wire.sent_at[0] + 0.2)  # at once on the answer


async def test_the_next_question_goes_out_before_anybody_hears_of_the_last_answer(line, wire, clock):
    for address in (1, 2):
        wire.expect(request(address, 1)).answer(answer(address, 1, 5), after_s=0.1)
    on_the_wire = []

    def done(result, error):
        on_the_wire.append((len(wire.sent), clock.monotonic()))

    for address in (1, 2):
        line.submit(Job(f"m-{address}", "1", "toy", partial(read, address, 1), done, priority=Priority.SCHEDULED))
    await clock.advance(1)
    assert [sent for sent, _ in on_the_wire] == [2, 2]
    first, second = (at for _, at in on_the_wire)
    assert second - first == pytest.approx(0.1)  # and in the same moment
    wire.finish()


async def test_jobs_go_by_priority(line, wire, results, clock):
    order = [
        Priority.BACKGROUND,
        Priority.SCHEDULED,
        Priority.TENANT,
        Priority.OPERATOR,
        Priority.MONEY,
    ]
    wire.expect().answer(answer(9, 1))
    line.submit(results.reading("first", 9, 1))
    for priority in order:
        line.submit(results.reading(priority.name, priority, 1, priority=priority))
    for priority in reversed(order):
        wire.expect(request(priority, 1)).answer(answer(priority, 1))
    await clock.advance(5)
    wire.finish()
    assert results.names == ["first", "MONEY", "OPERATOR", "TENANT", "SCHEDULED", "BACKGROUND"]


async def test_a_command_goes_between_the_exchanges_of_a_poll_which_then_goes_on(line, wire, results, clock):
    wire.expect(request(1, 1)).answer(answer(1, 1))
    wire.expect(request(2, 9)).answer(answer(2, 9))
    wire.expect(request(1, 2)).answer(answer(1, 2))
    line.submit(results.reading("poll", 1, 1, 2))
    line.submit(results.reading("money", 2, 9, priority=Priority.MONEY))
    await clock.advance(5)
    wire.finish()
    assert results == [("money", [0]), ("poll", [0, 0])]


async def test_a_dialogue_may_hold_the_line(line, wire, results, clock):
    wire.expect(request(1, 1)).answer(answer(1, 1))
    wire.expect(request(1, 2)).answer(answer(1, 2))
    wire.expect(request(2, 9)).answer(answer(2, 9))
    line.submit(results.reading("poll", 1, 1, 2, ask={"hold": True}))
    line.submit(results.reading("money", 2, 9, priority=Priority.MONEY))
    await clock.advance(5)
    wire.finish()


async def test_meters_take_turns_within_a_priority(line, wire, results, clock):
    for name, address in (("a1", 1), ("a2", 1), ("a3", 1), ("b1", 2), ("c1", 3)):
        wire.expect().answer(answer(address, ord(name[1])))
        line.submit(results.reading(name, address, ord(name[1])))
    wire._script.clear()
    order = [("a1", 1), ("a2", 1), ("b1", 2), ("c1", 3), ("a3", 1)]
    for name, address in order[1:]:
        wire.expect(request(address, ord(name[1]))).answer(answer(address, ord(name[1])))
    await clock.advance(5)
    wire.finish()
    assert results.names == [name for name, _ in order]


async def test_equal_reads_are_done_once_for_all_who_asked(line, wire, results, clock):
    wire.expect(request(9, 9)).answer(answer(9, 9))
    wire.expect(request(1, 5)).answer(answer(1, 5, 42))
    line.submit(results.reading("first", 9, 9))
    line.submit(results.reading("sweep", 1, 5, merge=("m-1", 5)))
    line.submit(results.reading("before", 2, 5, priority=Priority.TENANT))
    line.submit(results.reading("person", 1, 5, merge=("m-1", 5), priority=Priority.OPERATOR))
    wire.expect(request(2, 5)).answer(answer(2, 5))
    await clock.advance(5)
    wire.finish()
    assert ("sweep", [42]) in results and ("person", [42]) in results
    assert results.names[-1] == "before"  # the person's priority is lent to the read that was waiting


async def test_a_job_that_cannot_begin_before_its_deadline_is_dropped_and_never_sent(line, wire, results, clock):
    wire.expect(request(1, 1)).answer(answer(1, 1), after_s=0.4)
    line.submit(results.reading("first", 1, 1))
    line.submit(results.reading("stale", 2, 1, deadline_s=0.3))
    await clock.advance(5)
    assert len(wire.sent) == 1
    error = dict(results)["stale"]
    assert isinstance(error, Dropped) and "the line was busy" in str(error)


async def test_a_full_queue_gives_up_the_newest_of_the_lowest_priority(make_line, wire, results, clock):
    line = make_line(queue_limit=2)
    wire.connect(line)
    line.submit(results.reading("running", 1, 1))
    line.submit(results.reading("old", 2, 1, priority=Priority.BACKGROUND))
    line.submit(results.reading("new", 3, 1, priority=Priority.BACKGROUND))
    line.submit(results.reading("urgent", 4, 1, priority=Priority.MONEY))
    assert results.names == ["new"]
    assert "queue" in str(results[0][1])


async def test_silence_is_asked_again_and_then_told(line, wire, results, clock):
    wire.expect(request(1, 1)).silent()
    wire.expect(request(1, 1)).silent()
    with pytest.raises(NoAnswer, match="asked 2 times"):
        await line.run("m-1", "1", "toy", lambda: read(1, 1), priority=Priority.OPERATOR)
    wire.finish()
    assert line.figures.timeouts == 2
    byte_s = 11 / 2400
    assert wire.sent_at[1] - wire.sent_at[0] == pytest.approx(0.5 + 10 * byte_s)


async def test_the_links_latency_is_waited_for(make_line, wire, results, clock):
    line = make_line(facts=LinkFacts(latency_max_s=3.0))
    wire.connect(line)
    wire.expect(request(1, 1)).answer(answer(1, 1, 7), after_s=3.4)
    assert await line.run("m-1", "1", "toy", lambda: read(1, 1), priority=Priority.OPERATOR) == [7]


async def test_a_late_answer_is_never_taken_for_the_next_question(line, wire, results, clock):
    late = answer(1, 1, 66)
    wire.expect(request(1, 1)).answer(late, after_s=0.6)
    wire.expect(request(2, 1)).answer(answer(2, 1, 77), after_s=0.2)
    line.submit(results.reading("late", 1, 1, ask={"tries": 1}))
    line.submit(results.reading("next", 2, 1))
    await clock.advance(5)
    assert results[1] == ("next", [77])
    assert isinstance(results[0][1], NoAnswer)
    assert line.figures.foreign == 1
    assert any("not asked for" in entry.note for entry in line.trace.entries())


async def test_an_answer_to_the_first_try_does_not_leave_its_double_for_the_next_question(line, wire, results, clock):
    # The meter answers both tries; the second answer must not be taken for a later, equal question.
    for _ in range(2):
        wire.expect(request(1, 1))
    line.submit(results.reading("silent", 1, 1))
    await clock.advance(5)
    until_again_s = wire.sent_at[1] - wire.sent_at[0]
    wire.expect(request(1, 1)).answer(answer(1, 1, 1), after_s=until_again_s + 0.005)  # the second is not out yet
    wire.expect(request(1, 1)).answer(answer(1, 1, 1), after_s=0.3)
    wire.expect(request(1, 1)).answer(answer(1, 1, 2), after_s=0.2)
    line.submit(results.reading("first", 1, 1))
    line.submit(results.reading("again", 1, 1))
    await clock.advance(5)
    wire.finish()
    assert results[1:] == [("first", [1]), ("again", [2])]
    assert wire.sent_at[4] == pytest.approx(wire.sent_at[3] + 0.3), "as soon as the double has come"


async def test_after_a_time_out_the_line_waits_for_silence(line, wire, results, clock):
    sent_at = clock.monotonic()
    wire.expect(request(1, 1)).answer(*[b"\x55"] * 30, after_s=0.4, apart_s=0.05)  # noise until 1.85 s
    wire.expect(request(2, 1)).answer(answer(2, 1))
    line.submit(results.reading("noisy", 1, 1, ask={"tries": 1}))
    line.submit(results.reading("next", 2, 1))
    await clock.advance(5)
    assert results.names == ["noisy", "next"]
    last_noise = 0.4 + 29 * 0.05
    assert last_noise + 0.1 <= wire.sent_at[1] - sent_at < last_noise + 0.6


async def test_a_line_that_is_never_silent_is_used_anyway(line, wire, results, clock):
    wire.expect(request(1, 1)).answer(*[b"\x55"] * 200, after_s=0.05, apart_s=0.05)
    wire.expect(request(2, 1)).answer(answer(2, 1))
    line.submit(results.reading("noisy", 1, 1, ask={"tries": 1}))
    line.submit(results.reading("next", 2, 1))
    await clock.advance(10)
    assert results[-1] == ("next", [0])
    assert 3.5 < wire.sent_at[1] - wire.sent_at[0] < 6, "silence was waited for, but not for ever"


async def test_a_short_time_out_counts_after_a_long_one(line, wire, results, clock):
    wire.expect(request(1, 1)).answer(answer(1, 1), after_s=0.1)
    wire.expect(request(2, 1))
    line.submit(results.reading("patient", 1, 1, ask={"timeout_s": 60}))
    line.submit(results.reading("silent", 2, 1, ask={"timeout_s": 0.5, "tries": 1}))
    await clock.advance(5)
    wire.finish()
    assert isinstance(results[1][1], NoAnswer)


async def test_an_answer_that_is_longer_than_expected_is_waited_for(line, wire, results, clock):
    whole = answer(1, 1, 9)
    wire.expect(request(1, 1)).answer(*[bytes([byte]) for byte in b"\x00" * 10 + whole], after_s=0.4, apart_s=0.1)
    assert await line.run("m-1", "1", "toy", lambda: read(1, 1, tries=1), priority=Priority.OPERATOR) == [9]


async def test_the_quiet_gap_is_kept(make_line, wire, results, clock):
    line = make_line(gap_s=0.3)
    wire.connect(line)
    for key in (1, 2):
        wire.expect(request(1, key)).answer(answer(1, key), after_s=0.1)
    line.submit(results.reading("r", 1, 1, 2))
    await clock.advance(5)
    assert wire.sent_at[1] - wire.sent_at[0] == pytest.approx(0.4)


async def test_the_gap_of_a_meter_is_kept(make_line, wire, results, clock):
    line = make_line(meter_gap_s=0.3)
    wire.connect(line)
    for key in (1, 2):
        wire.expect(request(1, key)).answer(answer(1, key), after_s=0.1)
    line.submit(results.reading("r", 1, 1, 2))
    await clock.advance(5)
    assert wire.sent_at[1] - wire.sent_at[0] == pytest.approx(0.4)


async def test_nobody_answers_a_broadcast_but_its_bytes_take_time(line, wire, results, clock):
    def dialogue():
        reply = yield Ask(ask(0x63, 1).frame, None)
        assert reply is None
        return "sent"

    wire.expect(request(0x63, 1)).silent()
    wire.expect(request(1, 1)).answer(answer(1, 1))
    line.submit(results.job("broadcast", dialogue))
    line.submit(results.reading("next", 1, 1))
    await clock.advance(5)
    assert results[0] == ("broadcast", "sent")
    assert wire.sent_at[1] - wire.sent_at[0] == pytest.approx(5 * 11 / 2400)
    assert line.standing("broadcast").failures == 0


async def test_a_silent_meter_rests_is_probed_once_and_comes_back(line, wire, results, clock):
    for number in range(3):
        line.submit(results.reading(f"r{number}", 1, 1, ask={"tries": 1}))
        await clock.advance(2)
    sent = len(wire.sent)
    line.submit(results.reading("resting", 1, 1))
    line.submit(results.reading("background", 1, 1, priority=Priority.BACKGROUND))
    assert len(wire.sent) == sent
    assert "rests until 2026-01-01T00:00:" in str(results[-1][1])
    await clock.advance(30)
    line.submit(results.reading("probe", 1, 1))
    await clock.advance(5)
    assert len(wire.sent) == sent + 1  # one try only
    await clock.advance(31)
    line.submit(results.reading("twice as long", 1, 1))
    assert len(wire.sent) == sent + 1
    wire._script.clear()
    wire.expect(request(1, 1)).answer(answer(1, 1, 5))
    line.submit(results.reading("person", 1, 1, priority=Priority.OPERATOR))  # goes through
    await clock.advance(1)
    assert results[-1] == ("person", [5])
    wire.expect(request(1, 1)).answer(answer(1, 1, 6))
    line.submit(results.reading("routine", 1, 1))
    await clock.advance(1)
    assert results[-1] == ("routine", [6])


async def test_the_rest_grows_to_ten_minutes_and_no_further(line, wire, results, clock):
    for _ in range(12):
        line.submit(results.reading("r", 1, 1, ask={"tries": 1}))
        await clock.advance(601)
    assert line.standing("m-1").rest_s == 600
    assert len(wire.sent) == 12


async def test_a_meter_that_has_said_nothing_is_not_asked_many_more_questions(line, wire, results, clock):
    def dialogue():
        for key in range(4):
            try:
                yield ask(1, key)
            except NoAnswer:
                continue
        return "nothing"

    await line.run("m-1", "1", "toy", dialogue, priority=Priority.SCHEDULED)
    assert len(wire.sent) == 2 + 3
    assert line.standing("m-1").failures == 1


async def test_without_a_connection_reads_fail_at_once_and_commands_wait(make_line, wire, results, clock):
    line = make_line()
    line.submit(results.reading("read", 1, 1))
    line.submit(results.reading("command", 2, 1, priority=Priority.OPERATOR))
    line.submit(results.reading("too late", 3, 1, priority=Priority.MONEY, deadline_s=1))
    assert isinstance(results[0][1], LinkDown)
    await clock.advance(2)
    assert results.names == ["read", "too late"]
    assert isinstance(results[1][1], Dropped) and "not connected" in str(results[1][1])
    wire.expect(request(2, 1)).answer(answer(2, 1))
    wire.connect(line)
    await clock.advance(1)
    assert results[-1] == ("command", [0])


async def test_a_command_waits_thirty_seconds_for_a_connection(make_line, results, clock):
    line = make_line()
    line.submit(results.reading("command", 1, 1, priority=Priority.OPERATOR))
    await clock.advance(29)
    assert not results
    await clock.advance(2)
    assert isinstance(results[0][1], Dropped)


async def test_a_cut_connection_is_told_to_the_running_dialogue(line, wire, results, clock):
    heard = []

    def dialogue():
        try:
            yield ask(1, 1)
        except LinkDown as error:
            heard.append(error)
            raise

    line.submit(results.job("running", dialogue))
    line.submit(results.reading("waiting", 2, 1))
    line.submit(results.reading("command", 3, 1, priority=Priority.OPERATOR))
    await clock.advance(0.1)
    wire.cut("reset")
    assert "the connection broke" in str(heard[0])
    assert sorted(results.names) == ["running", "waiting"]
    assert not line.connected
    wire.expect(request(3, 1)).answer(answer(3, 1))
    wire.connect(line)
    await clock.advance(1)
    assert results[-1] == ("command", [0])


async def test_a_dialogue_that_never_ends_on_a_dead_link_is_stopped(line, wire, results, clock):
    def dialogue():
        while True:
            try:
                yield ask(1, 1)
            except LinkDown:
                continue

    line.submit(results.job("stubborn", dialogue))
    wire.cut()
    assert isinstance(results[0][1], Misuse)


async def test_a_newer_connection_interrupts_and_the_queue_goes_on_there(line, wire, results, clock):
    from meterhub.testing.wire import ScriptedWire

    line.submit(results.reading("running", 1, 1))
    line.submit(results.reading("waiting", 2, 1))
    newer = ScriptedWire(clock)
    newer.expect(request(2, 1)).answer(answer(2, 1))
    newer.connect(line)
    await clock.advance(1)
    assert isinstance(results[0][1], LinkDown)
    assert results[1] == ("waiting", [0])
    newer.finish()


@pytest.mark.parametrize("error", [Refused("no", reply="02"), BadFrame("not parsed")])
async def test_the_dialogues_own_errors_reach_the_caller_with_the_meter(line, wire, error):
    def dialogue():
        yield ask(1, 1)
        raise error

    wire.expect().answer(answer(1, 1))
    with pytest.raises(type(error), match="m-1: "):
        await line.run("m-1", "1", "toy", dialogue, priority=Priority.OPERATOR)


async def test_a_callers_mistake_is_not_the_last_error_of_the_meter(line, wire):
    def dialogue():
        yield from ()
        raise BadInput("there is no setting colour")

    with pytest.raises(BadInput):
        await line.run("a", "1", "toy", dialogue, priority=Priority.OPERATOR)
    assert (line.standing("a").last_error, line.figures.errors) == ("", {})


async def test_a_bug_in_a_protocol_is_named_and_the_line_goes_on(line, wire, results, clock, caplog):
    def dialogue():
        yield ask(1, 1)
        raise ZeroDivisionError("oops")

    wire.expect().answer(answer(1, 1))
    wire.expect().answer(answer(2, 1))
    with caplog.at_level(logging.ERROR):
        line.submit(results.job("bug", dialogue))
        line.submit(results.reading("next", 2, 1))
        await clock.advance(1)
    assert isinstance(results[0][1], Misuse) and "toy" in str(results[0][1])
    assert "toy" in caplog.text and "bug" in caplog.text
    assert results[1] == ("next", [0])


async def test_an_unknown_codec_or_a_failing_matcher_hurts_nobody_else(line, wire, results, clock):
    line.submit(Job("m", "1", "no-such", lambda: read(1, 1), lambda *end: results.append(end), priority=Priority.MONEY))
    assert isinstance(results[0][1], Misuse)

    def dialogue():
        yield Ask(ask(1, 1).frame, lambda frame: frame.no_such_thing, tries=1)

    wire.expect().answer(answer(1, 1))
    line.submit(results.job("matcher", dialogue))
    await clock.advance(2)
    assert isinstance(results[1][1], NoAnswer)


async def test_a_caller_that_fails_on_its_result_hurts_nobody_else(line, wire, results, clock, caplog):
    job = results.reading("bad caller", 1, 1)
    job.done = lambda result, error: 1 / 0
    wire.expect().answer(answer(1, 1))
    wire.expect().answer(answer(2, 1))
    line.submit(job)
    line.submit(results.reading("next", 2, 1))
    await clock.advance(1)
    assert results == [("next", [0])]


async def test_a_cancelled_job_is_not_sent_and_a_running_one_stops(line, wire, results, clock):
    running, waiting = results.reading("running", 1, 1, 2), results.reading("waiting", 2, 1)
    wire.expect(request(1, 1)).answer(answer(1, 1))
    line.submit(running)
    line.submit(waiting)
    for job in (waiting, running, running):
        line.cancel(job)
    assert results.names == ["waiting", "running"]
    await clock.advance(2)
    assert len(wire.sent) == 1 and len(results) == 2


async def test_cancelling_a_merged_read_leaves_the_other_its_answer(line, wire, results, clock):
    wire.expect().answer(answer(9, 9))
    wire.expect().answer(answer(1, 5, 42))
    line.submit(results.reading("first", 9, 9))
    one, two = (results.reading(name, 1, 5, merge="same") for name in ("one", "two"))
    line.submit(one)
    line.submit(two)
    line.cancel(one)
    await clock.advance(2)
    assert results[-1] == ("two", [42]) and len(results) == 3


async def test_a_waiter_that_is_cancelled_takes_its_job_along(line, wire, clock):
    task = asyncio.create_task(line.run("m-1", "1", "toy", lambda: read(1, 1), priority=Priority.OPERATOR))
    await clock.advance(0.01)
    task.cancel()
    await clock.advance(2)
    assert task.cancelled() and line.current is None


async def test_frames_that_nobody_asked_for_go_to_the_hook(line, wire, clock, results):
    heard = []
    line.on_unsolicited = heard.append
    wire.expect().answer(answer(1, 1))
    line.submit(results.reading("r", 1, 1))
    await clock.advance(1)
    wire.say(answer(4, 4, 4))
    assert [frame.address for frame in heard] == [4]


async def test_a_stopping_hub_ends_every_job(line, wire, results, clock):
    line.submit(results.reading("running", 1, 1))
    line.submit(results.reading("waiting", 2, 1))
    line.submit(results.reading("command", 3, 1, priority=Priority.MONEY))
    line.close()
    assert sorted(results.names) == ["command", "running", "waiting"]


async def test_the_trace_keeps_the_last_raw_frames_of_a_meter(line, wire, clock, results):
    wire.expect().answer(answer(1, 1))
    wire.expect().answer(answer(2, 1))
    line.submit(results.reading("r1", 1, 1))
    line.submit(results.reading("r2", 2, 1))
    await clock.advance(1)
    assert [(entry.direction, entry.data) for entry in line.trace.entries("m-2")] == [
        ("sent", request(2, 1)),
        ("received", answer(2, 1)),
    ]


async def test_a_busy_line_says_so(line, wire, clock, results):
    for _ in range(1000):
        wire.expect().answer(answer(1, 1), after_s=0.2)
    line.submit(results.reading("r", 1, *[1] * 1000))
    await clock.advance(130)
    assert 0.99 < line.figures.utilisation(clock.monotonic()) <= 1.0
    await clock.advance(500)
    assert line.figures.utilisation(clock.monotonic()) == 0.0


async def test_a_time_out_says_whether_anything_was_heard(line, wire, results, clock):
    """Silence, and the garbage of two answers at once, are different things to a search."""
    wire.expect(request(1, 1)).silent()
    line.submit(results.job("silent", lambda: read(1, 1, tries=1)))
    await clock.advance(5)
    wire.expect(request(1, 1)).answer("00 01 02")
    line.submit(results.job("garbled", lambda: read(1, 1, tries=1)))
    await clock.advance(5)
    assert [(name, error.heard) for name, error in results] == [("silent", 0), ("garbled", 3)]


async def test_a_time_out_in_bit_times_follows_the_speed_of_the_wire(line, wire, results, clock):
    """At half the speed it is twice as long, and so are the bytes."""

    async def patience():
        wire.expect().silent()
        line.submit(results.job("slow", lambda: read(1, 1, tries=1, timeout_s=0.0, timeout_bits=line.config.baud)))
        await clock.advance(20)
        sent, late = line.trace.entries("slow")[-2:]
        return late.ms - sent.ms

    wire.set_speed = lambda baud: True
    at_full_speed = await patience()
    assert line.retune(line.config.baud // 2)
    assert await patience() == pytest.approx(2 * at_full_speed, abs=2)


async def test_the_jobs_of_one_meter_go_in_the_order_in_which_they_came(line, wire, results, clock):
    for key in (1, 2, 3, 4):
        wire.expect(request(1, key)).answer(answer(1, key))
        line.submit(results.reading(f"r{key}", 1, key))
    await clock.advance(5)
    wire.finish()
    assert results.names == ["r1", "r2", "r3", "r4"]


async def test_what_became_too_late_just_now_is_not_sent_either(line, wire, results, clock):
    for address in (1, 2):
        wire.expect(request(address, 1)).answer(answer(address, 1), after_s=0.2)
    line.submit(results.reading("first", 1, 1))
    line.submit(results.reading("second", 2, 1, priority=Priority.OPERATOR))
    line.submit(results.reading("noticed early", 3, 1, deadline_s=0.1))
    line.submit(results.reading("since then", 4, 1, deadline_s=0.3))
    await clock.advance(2)
    wire.finish()
    ends = dict(results)
    assert isinstance(ends["noticed early"], Dropped) and isinstance(ends["since then"], Dropped)
    assert len(wire.sent) == 2


@pytest.mark.parametrize(
    ("priority", "wait_s"),
    [
        (Priority.MONEY, 30),
        (Priority.OPERATOR, 30),
        (Priority.TENANT, 30),
        (Priority.SCHEDULED, 900),
        (Priority.BACKGROUND, 3600),
    ],
)
async def test_how_long_a_job_waits_when_it_does_not_say(line, wire, results, clock, priority, wait_s):
    wire.expect(request(9, 1)).answer(answer(9, 1), after_s=2 * wait_s)
    line.submit(results.reading("long", 9, 1, priority=Priority.MONEY, ask={"timeout_s": 3 * wait_s}))
    line.submit(results.reading("waits", 1, 1, priority=priority))
    await clock.advance(wait_s - 1)
    assert line.waiting == 1
    wire.connect(line)  # the wire is free; whoever waits for too long is not sent any more
    await clock.advance(0)
    assert ("waits", [0]) not in results and line.current == "m-1"


async def test_who_joins_a_read_late_extends_how_long_it_waits(line, wire, results, clock):
    wire.expect(request(9, 1)).answer(answer(9, 1), after_s=0.4)
    wire.expect(request(1, 1)).answer(answer(1, 1, 7))
    line.submit(results.reading("before", 9, 1))
    line.submit(results.reading("hurried", 1, 1, merge="same", deadline_s=0.1))
    line.submit(results.reading("patient", 1, 1, merge="same", deadline_s=10))
    await clock.advance(2)
    wire.finish()
    assert results[1:] == [("hurried", [7]), ("patient", [7])]


async def test_a_read_is_made_anew_when_an_equal_one_is_over(line, wire, results, clock):
    for value in (7, 8):
        wire.expect(request(1, 1)).answer(answer(1, 1, value))
        line.submit(results.reading(f"reads {value}", 1, 1, merge="same"))
        await clock.advance(1)
    wire.finish()
    assert results == [("reads 7", [7]), ("reads 8", [8])]


async def test_a_rest_counts_for_reads_that_wait_already_and_for_new_ones_behind_others(line, wire, results, clock):
    for _ in range(3):
        wire.expect(request(1, 1))
    for number in range(4):
        line.submit(results.reading(f"r{number}", 1, 1, ask={"tries": 1}))
    await clock.advance(10)
    wire.finish()
    assert len(wire.sent) == 3 and "rests" in str(dict(results)["r3"])
    wire.expect(request(2, 1)).answer(answer(2, 1), after_s=0.2)
    line.submit(results.reading("another meter", 2, 1))
    line.submit(results.reading("resting", 1, 1))
    assert results.names[-1] == "resting", "told at once, not when the wire is free"


async def test_a_poll_that_was_answered_in_part_is_no_silence(line, wire, results, clock):
    wire.expect(request(1, 1)).answer(answer(1, 1))
    wire.expect(request(1, 2))
    line.submit(results.reading("half", 1, 1, 2, ask={"tries": 1}))
    await clock.advance(5)
    wire.finish()
    assert line.standing("m-1").failures == 0


async def test_a_request_waits_until_its_radio_may_send_again(line, wire, results, clock):
    free_at = clock.monotonic() + 20
    wire.paced, wire.pause_s = True, lambda size: max(0.0, free_at - clock.monotonic())
    wire.expect(request(1, 1)).answer(answer(1, 1, 3))
    line.submit(results.reading("r", 1, 1))
    await clock.advance(19)
    assert not wire.sent
    await clock.advance(5)
    wire.finish()
    assert results == [("r", [3])] and wire.sent_at[0] >= free_at
