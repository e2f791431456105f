/** What a client was told of one recording, and what it asked without an answer. */
export interface Fate {
  readonly id: string
  readonly room: string
  stop: 'none' | 'asked' | 'told'
  cancel: 'none' | 'asked' | 'told'
  remove: 'none' | 'asked' | 'told'
  /** It was put on hold, and nobody takes it off again. */
  isHeld: boolean
  /** Ids of markers that were acknowledged. */
  readonly markers: string[]
  /** It had media when its stop was acknowledged. */
  hadMedia: boolean
}

type Json = Readonly<Record<string, unknown>>
type Act = 'start' | 'pause' | 'resume' | 'stop' | 'cancel' | 'mark' | 'delete' | 'hold'
/** What can be asked. Stops and the like more seldom than starts, so that there is something to stop. */
const ACTS: readonly Act[] = [
  ...([
    'start',
    'start',
    'start',
    'start',
    'pause',
    'resume',
    'stop',
    'stop',
    'cancel',
    'mark',
    'mark',
    'delete',
  ] as const),
  'hold',
]

/** Asks a server for random things, and remembers what it answered. */
export class RandomClient {
  readonly fates = new Map<string, Fate>()
  readonly #base: string
  readonly #pick: (below: number) => number
  readonly #rooms: readonly string[]
  /** Answers that are neither success nor a refusal. */
  readonly failures: string[] = []
  readonly answered: Record<string, number> = {}

  constructor(base: string, rooms: readonly string[], pick: (below: number) => number) {
    this.#base = base
    this.#rooms = rooms
    this.#pick = pick
  }

  /** One random request. Resolves when it is answered, or the server is gone. */
  async act(): Promise<void> {
    const act: Act = ACTS[this.#pick(ACTS.length)] ?? 'start'
    if (act === 'start') return this.#start()
    const recent = [...this.fates.values()].slice(-12)
    const fate = recent[this.#pick(recent.length)]
    if (fate !== undefined) await this.#control(act, fate)
  }

  async #start(): Promise<void> {
    const room = this.#rooms[this.#pick(this.#rooms.length)] ?? ''
    const format = ['auto', 'mp4', 'mkv', 'flv'][this.#pick(4)]
    const answer = await this.#ask('start', 'POST', `/rooms/${room}/recording/start?recording_format=${format}`)
    const id = answer?.recording_id
    if (typeof id !== 'string') return
    const nothing = { stop: 'none', cancel: 'none', remove: 'none' } as const
    this.fates.set(id, { id, room, ...nothing, isHeld: false, markers: [], hadMedia: false })
  }

  async #control(act: Exclude<Act, 'start'>, fate: Fate): Promise<void> {
    const { id, room } = fate
    const own = `/recordings/${id}`
    switch (act) {
      case 'pause':
      case 'resume':
        await this.#ask(act, 'POST', `/rooms/${room}/recording/${id}/${act}`)
        return
      case 'stop': {
        if (fate.stop === 'none') fate.stop = 'asked'
        const answer = await this.#ask(act, 'POST', `/rooms/${room}/recording/${id}/stop`)
        if (answer === undefined) return
        fate.stop = 'told'
        fate.hadMedia = Number(answer.duration_seconds) > 0.5
        return
      }
      case 'cancel':
        if (fate.cancel === 'none') fate.cancel = 'asked'
        if ((await this.#ask(act, 'DELETE', `/rooms/${room}/recording/${id}`)) !== undefined) fate.cancel = 'told'
        return
      case 'delete':
        if (fate.remove === 'none') fate.remove = 'asked'
        if ((await this.#ask(act, 'DELETE', own)) !== undefined) fate.remove = 'told'
        return
      case 'mark': {
        const answer = await this.#ask(act, 'POST', `${own}/markers`, { label: `mark ${this.#pick(1000)}` })
        if (typeof answer?.marker_id === 'string') fate.markers.push(answer.marker_id)
        return
      }
      case 'hold':
        if ((await this.#ask(act, 'PUT', `${own}/hold`)) !== undefined) fate.isHeld = true
        return
      default:
        act satisfies never
    }
  }

  /** The answer; undefined when it was a refusal, or none came. */
  async #ask(act: Act, method: string, path: string, body?: Json): Promise<Json | undefined> {
    try {
      const json =
        body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }
      const response = await fetch(`${this.#base}/api${path}`, { method, ...json })
      const text = await response.text()
      const isOk = response.status < 300
      const outcome = isOk ? act : `${act} refused`
      this.answered[outcome] = (this.answered[outcome] ?? 0) + 1
      // 503: it is being stopped, or the state is away
      if (!isOk && ![400, 404, 409, 503].includes(response.status))
        this.failures.push(`${act}: ${response.status} ${text}`)
      if (!isOk) return undefined
      return text === '' ? {} : JSON.parse(text)
    } catch {
      return undefined // killed before it answered
    }
  }
}
