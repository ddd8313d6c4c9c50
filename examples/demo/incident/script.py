"""The script of the replay: what the users do, and when the operator steps in. The same on both sides."""

from dataclasses import replace

from examples.agents.arrivals import Phase, Users, arrivals
from examples.agents.messages import Agent
from examples.demo.play import Piece
from examples.demo.scenes import Scene

MIB = 2**20

CONTEXT_BYTES = 8 * MIB

AGENT = Agent(
    context_bytes=CONTEXT_BYTES,
    bytes_per_message=CONTEXT_BYTES,
    mean_call_seconds=1.8,
    idle_seconds=3600.0,
)
"""Long answers that wait for a model; a conversation stays open for an hour after its user fell silent."""

USERS = Users(mean_turns=1.25, mean_gap_seconds=12.0, leave_after_seconds=45.0)

TURNS_PER_SECOND = 4.0
WARM_UP, CRASHES, STARVES = "warm-up", "large cache", "after the cut"
WARM_UP_SECONDS, CUT_AT_SECONDS = 70.0, 130.0

SCENES = (
    Scene(Phase(WARM_UP, WARM_UP_SECONDS, 1.0), 0.0),
    Scene(Phase(CRASHES, CUT_AT_SECONDS - WARM_UP_SECONDS, TURNS_PER_SECOND), WARM_UP_SECONDS),
    Scene(Phase(STARVES, 85.0, TURNS_PER_SECOND), CUT_AT_SECONDS),
)
"""Nothing happens to the load where the phases change: what changes is what is done to the workers."""


def piece(seed: int) -> Piece:
    """The turns of a seed. Nobody says goodbye: an agent can't know that a user will not come back."""
    turns = tuple(replace(turn, last=False) for turn in arrivals([scene.phase for scene in SCENES], USERS, seed))
    return Piece(scenes=SCENES, turns=turns, agent=AGENT, seed=seed)
