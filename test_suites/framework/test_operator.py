"""Operators: a prompt never stops the bench, never waits for ever, and is journaled."""

import io
import os
import time

import pytest

from hil.bench import AidEntry, ScriptedAnswer
from hil.errors import Abort, Unanswered, Unavailable
from hil.prompt import DONE, REFUSED, Prompt
from hil_fixtures.operator import (
    TURN,
    Conversation,
    ScriptedOperator,
    TerminalOperator,
    operator_of,
)
from hil_instruments.simulated.clock import VirtualClock

START = Prompt("start", "Press START now.")


class Talk:
    """A conversation with a script, in virtual time, with what was journaled."""

    def __init__(self, *answers, patience=10.0):
        self.clock, self.journal = VirtualClock(), []
        self.operator = ScriptedOperator(answers, self.clock)
        self.conversation = Conversation(
            self.operator, self.clock, patience, lambda kind, body: self.journal.append(body)
        )

    def ask(self, prompt=START):
        return self.conversation.ask(prompt)


def test_an_answer_is_journaled_with_the_times_of_asking_and_answering():
    talk = Talk(ScriptedAnswer("start", "Done", after=2.0))
    talk.clock.sleep(1.0)
    assert talk.ask() == DONE
    (body,) = talk.journal
    assert body["to"] == "start"
    assert body["text"] == START.text
    assert body["asked"] == 1.0
    assert 3.0 <= body["answered"] <= 3.0 + TURN
    assert (body["answer"], body["ended"]) == (DONE, "")


def test_a_prompt_that_nobody_answers_ends_and_names_what_is_allowed():
    talk = Talk(ScriptedAnswer("start", ""))
    with pytest.raises(Unanswered, match=r"'Press START now.' was not answered within 10 s.*done"):
        talk.ask()
    assert talk.clock.now() == 10.0
    assert talk.journal[0]["answer"] == ""
    assert "Unanswered" in talk.journal[0]["ended"]


def test_what_is_not_allowed_is_no_answer():
    with pytest.raises(Unanswered):
        Talk(ScriptedAnswer("start", "perhaps")).ask()


def test_the_bench_is_watched_in_turns_while_a_prompt_stands():
    talk, turns = Talk(ScriptedAnswer("start", DONE, after=5.0)), []

    def turn(seconds):
        turns.append(seconds)
        talk.clock.sleep(seconds)

    talk.conversation.wait = turn
    assert talk.ask() == DONE
    assert len(turns) == 5.0 / TURN
    assert max(turns) <= TURN


def test_the_end_of_a_run_ends_a_prompt_at_once():
    talk = Talk(ScriptedAnswer("start", DONE, after=5.0))

    def turn(seconds):
        raise Abort("signal")

    talk.conversation.wait = turn
    with pytest.raises(Abort):
        talk.ask()
    assert talk.clock.now() == 0.0
    assert talk.operator.poll() is None
    assert talk.journal[0]["ended"] == "Abort: signal"


def test_a_posted_prompt_waits_for_nothing_and_gives_way_to_the_next():
    talk = Talk(ScriptedAnswer("watch", "hold", after=1.0), ScriptedAnswer("start", DONE))
    watch = Prompt("watch", "Tell.", answers=("hold", "done"))
    talk.conversation.post(watch)
    assert talk.conversation.heard() is None
    talk.clock.sleep(1.0)
    assert talk.conversation.heard() == "hold"
    assert talk.conversation.heard() is None
    talk.conversation.post(watch)
    assert talk.ask() == DONE
    assert [body["ended"] for body in talk.journal] == ["", "another prompt came", ""]


def test_a_script_gives_its_answers_in_their_order_and_number():
    talk = Talk(ScriptedAnswer("start", REFUSED, times=2), ScriptedAnswer("start", DONE))
    assert [talk.ask() for _ in range(4)] == [REFUSED, REFUSED, DONE, DONE]


def test_a_script_knows_nothing_but_what_stands_in_it():
    with pytest.raises(Unanswered):
        Talk(ScriptedAnswer("stop", DONE)).ask()


def test_a_simulated_operator_needs_a_simulated_device():
    with pytest.raises(Unavailable, match="script, terminal"):
        operator_of(AidEntry("operator", "simulated"), VirtualClock(), None)


@pytest.fixture
def terminal():
    """Operator at a terminal, what it shows, and what types into it."""
    reading, writing = os.pipe()
    clock, out = VirtualClock(), io.StringIO()
    with os.fdopen(reading) as source, os.fdopen(writing, "w") as keys:
        yield TerminalOperator(clock, out, source), out, keys, clock


def test_a_terminal_shows_one_line_with_a_countdown_and_blocks_on_nothing(terminal):
    operator, out, keys, clock = terminal
    operator.show(START, 10.0)
    assert out.getvalue() == "\r>> Press START now. [done / refused]  10 s "
    assert operator.poll() is None
    clock.sleep(3.0)
    assert operator.poll() is None
    assert out.getvalue().endswith("]   7 s ")
    keys.write("maybe\nDONE\n")
    keys.flush()
    assert operator.poll() is None
    assert "not understood; allowed: done, refused" in out.getvalue()
    assert operator.poll() == "DONE"
    assert operator.poll() is None


def test_what_was_typed_before_a_prompt_answers_no_prompt(terminal):
    operator, _, keys, _ = terminal
    keys.write("done\n")
    keys.flush()
    operator.show(START, 10.0)
    assert operator.poll() is None


def test_bench_time_that_flies_is_held_back_while_a_person_is_asked(terminal):
    operator, _, _, clock = terminal
    operator.pace = 0.05
    talk = Conversation(operator, clock, 3 * TURN)
    begin = time.monotonic()
    with pytest.raises(Unanswered):
        talk.ask(START)
    assert time.monotonic() - begin >= 3 * 0.05


def test_a_terminal_whose_person_has_gone_is_asked_until_the_time_is_over(terminal):
    operator, _, keys, clock = terminal
    keys.close()
    talk = Conversation(operator, clock, 1.0)
    with pytest.raises(Unanswered):
        talk.ask(START)
