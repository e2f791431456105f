import type { ChecklistLine, SourceReport, SourceState } from '../media/source-report.ts'
import {
  ConnectionDeadlineError,
  KeyframeDeadlineError,
  SourceLostError,
  SourceMoveError,
  SourceSilentError,
  SubscriptionDeadlineError,
} from './source-errors.ts'

/** How long a remote source may take for each step, ms. */
export interface SourceDeadlines {
  /** From the request to the connection. Then it ends. */
  readonly connectionMs: number
  /** From the connection to the first packet. Then it ends. */
  readonly subscriptionMs: number
  /** From asking for a keyframe to asking again. */
  readonly keyframeMs: number
  /** Without a packet: reported. */
  readonly silentMs: number
  /** Without a packet: it ends. */
  readonly lostMs: number
}

const DEADLINES: SourceDeadlines = {
  connectionMs: 20_000,
  subscriptionMs: 10_000,
  keyframeMs: 2000,
  silentMs: 5000,
  lostMs: 15_000,
}

const MOVES: Readonly<Record<SourceState, readonly SourceState[]>> = {
  disconnected: ['connecting', 'stopping', 'stopped'],
  connecting: ['connected', 'disconnected', 'stopping', 'stopped'],
  connected: ['subscribing', 'disconnected', 'stopping', 'stopped'],
  subscribing: ['subscribed', 'disconnected', 'stopping', 'stopped'],
  subscribed: ['recording', 'disconnected', 'stopping', 'stopped'],
  recording: ['subscribed', 'disconnected', 'stopping', 'stopped'],
  stopping: ['stopped'],
  stopped: [],
}

/** What went wrong; every `TapedeckError` is one. */
export type SourceFault = NonNullable<SourceReport['fault']>

/** Who has a `SourceLife`. */
export interface SourceOwner {
  /** The keyframe that was asked for has not come: ask again. */
  requestKeyframe(): void
  /** Something is not as it should be, or no longer; for the log. */
  reported?(fault: SourceFault | undefined): void
  /** A deadline is over and the source with it; its state is `stopped`. */
  expired(error: ConnectionDeadlineError | SubscriptionDeadlineError | SourceLostError): void
}

/** What a `SourceLife` may be told. */
export interface SourceLifeOptions {
  readonly deadlines?: Partial<SourceDeadlines>
  /** A monotonic clock, ms; `performance.now` by default. */
  readonly now?: () => number
}

/**
 * The life of a source that is reached over a transport which can fail, its deadlines, and the list of what has to have
 * happened before media of it is kept. The one place where its state changes.
 */
export class SourceLife {
  readonly #owner: SourceOwner
  readonly #deadlines: SourceDeadlines
  readonly #now: () => number
  readonly #metAt = new Map<ChecklistLine, string>()
  #state: SourceState = 'disconnected'
  #sinceMs: number
  #fault: SourceFault | undefined
  #requestedAtMs: number | undefined
  #connectedAtMs: number | undefined
  #subscribedAtMs: number | undefined
  #heardAtMs: number | undefined
  /** Since when a keyframe is waited for. */
  #askedAtMs: number | undefined

  constructor(owner: SourceOwner, options: SourceLifeOptions = {}) {
    this.#owner = owner
    this.#deadlines = { ...DEADLINES, ...options.deadlines }
    this.#now = options.now ?? (() => performance.now())
    this.#sinceMs = this.#now()
  }

  get state(): SourceState {
    return this.#state
  }
  /** What is wrong, or was when it ended. */
  get fault(): SourceFault | undefined {
    return this.#fault
  }
  /** When each line was first met, ISO 8601; null while it is not. */
  get checklist(): SourceReport['checklist'] {
    const at = (line: ChecklistLine) => this.#metAt.get(line) ?? null
    return {
      connected: at('connected'),
      tracks_published: at('tracks_published'),
      subscribed: at('subscribed'),
      first_rtp: at('first_rtp'),
      first_keyframe: at('first_keyframe'),
      frames_flowing: at('frames_flowing'),
      feedback_seen: at('feedback_seen'),
    }
  }
  /** For how long nothing was heard, ms; since the request where nothing ever was. */
  get silentMs(): number {
    return this.#now() - (this.#heardAtMs ?? this.#requestedAtMs ?? this.#sinceMs)
  }

  /**
   * Moves on. `fault`: why, where that was not asked for.
   * @throws SourceMoveError
   */
  move(to: SourceState, fault?: SourceFault): void {
    const possible = MOVES[this.#state]
    if (!possible.includes(to)) throw new SourceMoveError(this.#state, to, possible)
    this.#state = to
    this.#sinceMs = this.#now()
    if (fault !== undefined) this.#fault = textOf(fault)
    if (to === 'connecting') this.#requestedAtMs = this.#sinceMs
    else if (to === 'connected') {
      this.#connectedAtMs ??= this.#sinceMs
      this.meet('connected')
    } else if (to === 'subscribed') {
      this.#subscribedAtMs ??= this.#sinceMs
      this.meet('subscribed')
    } else if (to === 'stopped') this.#askedAtMs = undefined
  }

  /** A line of the list is met; the first time counts. */
  meet(line: ChecklistLine): void {
    if (this.#metAt.has(line)) return
    this.#metAt.set(line, new Date().toISOString())
    if (line === 'first_keyframe') this.keyframeCame()
  }

  isMet(line: ChecklistLine): boolean {
    return this.#metAt.has(line)
  }

  /** Packets came, at `atMs` of the clock; now by default. */
  heard(atMs: number = this.#now()): void {
    if (this.#heardAtMs !== undefined && atMs <= this.#heardAtMs) return
    this.#heardAtMs = atMs
    if (this.#fault?.code === SILENT) this.#clear()
  }

  /** A keyframe was asked for, and is waited for from now on. */
  keyframeAsked(): void {
    this.#askedAtMs ??= this.#now()
  }

  keyframeCame(): void {
    this.#askedAtMs = undefined
    if (this.#fault?.code === KEYFRAME) this.#clear()
  }

  /** Stops, from wherever it is. Idempotent. */
  stop(fault?: SourceFault): void {
    if (this.#state !== 'stopped') this.move('stopped', fault)
  }

  /** Looks at the deadlines. Called once or twice a second. */
  tick(): void {
    const inStateMs = this.#now() - this.#sinceMs
    const { connectionMs, subscriptionMs } = this.#deadlines
    switch (this.#state) {
      case 'connecting':
        if (inStateMs >= connectionMs) this.#expire(new ConnectionDeadlineError(connectionMs))
        return
      case 'subscribing':
        if (inStateMs >= subscriptionMs) this.#expire(new SubscriptionDeadlineError(subscriptionMs))
        return
      case 'subscribed':
      case 'recording':
        this.#watchPackets()
        return
      default:
    }
  }

  /** Everything of the report but what the transport counts. */
  report(
    figures: Omit<SourceReport, 'state' | 'fault' | 'checklist' | 'connectionMs' | 'subscriptionMs'>,
  ): SourceReport {
    return {
      state: this.#state,
      ...(this.#fault === undefined ? {} : { fault: this.#fault }),
      checklist: this.checklist,
      ...figures,
      ...between('connectionMs', this.#requestedAtMs, this.#connectedAtMs),
      ...between('subscriptionMs', this.#connectedAtMs, this.#subscribedAtMs),
    }
  }

  #watchPackets(): void {
    const { silentMs: reportedMs, lostMs, keyframeMs } = this.#deadlines
    const { silentMs } = this
    if (silentMs >= lostMs) this.#expire(new SourceLostError(lostMs))
    else if (silentMs >= reportedMs) this.#tell(new SourceSilentError(reportedMs))
    else if (this.#askedAtMs !== undefined && this.#now() - this.#askedAtMs >= keyframeMs) {
      this.#askedAtMs = this.#now()
      this.#tell(new KeyframeDeadlineError(keyframeMs))
      this.#owner.requestKeyframe()
    }
  }

  #tell(error: SourceSilentError | KeyframeDeadlineError): void {
    if (this.#fault?.code === error.code) return
    this.#fault = textOf(error)
    this.#owner.reported?.(this.#fault)
  }

  #clear(): void {
    this.#fault = undefined
    this.#owner.reported?.(undefined)
  }

  #expire(error: ConnectionDeadlineError | SubscriptionDeadlineError | SourceLostError): void {
    this.stop(error)
    this.#owner.expired(error)
  }
}

const SILENT = new SourceSilentError(0).code
const KEYFRAME = new KeyframeDeadlineError(0).code

function textOf({ code, message }: SourceFault): SourceFault {
  return { code, message }
}

function between<Name extends string>(name: Name, fromMs: number | undefined, toMs: number | undefined) {
  const entries: { [Key in Name]?: number } = {}
  if (fromMs !== undefined && toMs !== undefined) entries[name] = Math.round(toMs - fromMs)
  return entries
}
