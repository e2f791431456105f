import { TapedeckError } from '../media/errors.ts'

/**
 * The life of a recording. `pending`: nothing recorded yet; `processing`: its files are being finished; the last three are
 * final.
 */
export type RecordingState = 'pending' | 'recording' | 'paused' | 'processing' | 'completed' | 'failed' | 'cancelled'

const MOVES: Readonly<Record<RecordingState, readonly RecordingState[]>> = {
  pending: ['recording', 'processing', 'failed', 'cancelled'],
  recording: ['paused', 'processing', 'failed', 'cancelled'],
  paused: ['recording', 'processing', 'failed', 'cancelled'],
  processing: ['completed', 'failed', 'cancelled'],
  completed: [],
  failed: [],
  cancelled: [],
}

/** A recording was asked for something that its state does not allow. */
export class IllegalMoveError extends TapedeckError {
  readonly code = 'TD_ILLEGAL_MOVE'
  readonly fault = 'caller'
  readonly from: RecordingState
  readonly to: RecordingState

  constructor(id: string, from: RecordingState, to: RecordingState) {
    const possible = MOVES[from].join(', ') || 'nothing: that is final'
    super(`recording ${id} is ${from} and cannot become ${to}; it can become ${possible}`)
    this.from = from
    this.to = to
  }
}

/** Moves one recording through its life: the only place where its state changes. */
export class StateMachine {
  readonly #id: string
  readonly #onMove: (from: RecordingState, to: RecordingState) => void
  #state: RecordingState

  constructor(
    id: string,
    onMove: (from: RecordingState, to: RecordingState) => void,
    initial: RecordingState = 'pending',
  ) {
    this.#id = id
    this.#onMove = onMove
    this.#state = initial
  }

  get state(): RecordingState {
    return this.#state
  }

  /** Nothing will happen any more. */
  get isFinal(): boolean {
    return MOVES[this.#state].length === 0
  }

  /** For a move that is possible from other states, too, but then means something else. @throws IllegalMoveError */
  demand(from: RecordingState, to: RecordingState): void {
    if (this.#state !== from) throw new IllegalMoveError(this.#id, this.#state, to)
  }

  /** @throws IllegalMoveError */
  move(to: RecordingState): void {
    const from = this.#state
    if (!MOVES[from].includes(to)) throw new IllegalMoveError(this.#id, from, to)
    this.#state = to
    this.#onMove(from, to)
  }
}
