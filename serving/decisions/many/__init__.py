"""The decision core for many customers at once: arrays in, arrays out, decision for decision what `decide` answers.

board (a playbook's treatments as arrays) and crowd (what is known of n customers) -> guard (who may get what)
-> draw (what it is worth, the distribution, the answer) -> columns and blocks (the log, written from the arrays)

For outbound requests of one slot, whoever asks: the batch job packs its crowd from the store's customers, a simulated
market lays its own arrays out. It knows no store, no clock and no model: `now`, P and the random numbers are given.

    board = Board.of(playbook, channel="email")
    crowd = Crowd.packed(customers, board, now)             # or Crowd(...) from arrays of one's own
    found = decided(board, crowd, chances, uniforms)        # chances float64[n, m], uniforms float64[n] in [0, 1)
    found.pick, found.ghost                                 # treatment by position in `board.candidates`, -1 is silence
    found.order, found.chance, found.silence                # the distribution that each was drawn from
"""

from serving.decisions.many.board import Board
from serving.decisions.many.crowd import Crowd
from serving.decisions.many.draw import Drawn, decided

__all__ = ["Board", "Crowd", "Drawn", "decided"]
