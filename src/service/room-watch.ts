import type { EventSink, EventType } from '../events/event.ts'
import type { Hub } from '../live/hub.ts'
import type { LiveStream } from '../live/stream.ts'
import type { EndReason } from '../live/subscriber.ts'
import type { Track } from '../media/track.ts'
import type { ParticipantView, RoomView } from './control.ts'

/** What a watch needs. */
export interface RoomWatchOptions {
  readonly hub: Hub
  readonly sink: EventSink
  /** Ids of the recordings that what somebody publishes goes into; without a participant: of the room. */
  recordingsOf(roomId: string, participantId?: string): readonly string[]
  /** Somebody publishes. */
  onJoined(stream: LiveStream): void
}

/** Knows who is in which room, and tells of comings and goings. */
export class RoomWatch {
  readonly #options: RoomWatchOptions
  readonly #unlisten: () => void

  constructor(options: RoomWatchOptions) {
    this.#options = options
    this.#unlisten = options.hub.listen({
      started: (stream) => this.#started(stream),
      tracked: (stream, track) => this.#tracked(stream, track),
      ended: (stream, reason) => this.#ended(stream, reason),
    })
    for (const stream of options.hub.streams) this.#started(stream)
  }

  /** Rooms in which somebody publishes, or something is recorded (`recorded`: room ids). */
  rooms(recorded: Iterable<string>): RoomView[] {
    const rooms = new Map<string, LiveStream[]>()
    for (const roomId of recorded) rooms.set(roomId, [])
    for (const stream of this.#options.hub.streams) {
      const { room } = stream.address
      rooms.set(room, [...(rooms.get(room) ?? []), stream])
    }
    return [...rooms].map(([roomId, streams]) => ({
      roomId,
      participants: streams.map((stream) => this.#participant(stream)),
      recordings: this.#options.recordingsOf(roomId),
    }))
  }

  /** Ends what a participant publishes, and the connection behind it. False when nobody does. */
  disconnect(roomId: string, participantId: string): boolean {
    const stream = this.#options.hub.find({ room: roomId, participant: participantId })
    if (stream === undefined) return false
    stream.end('kicked')
    stream.publisher.disconnect?.('kicked')
    return true
  }

  close(): void {
    this.#unlisten()
  }

  #participant(stream: LiveStream): ParticipantView {
    const { bitrateBps, bytes } = stream.stats.snapshot()
    const { room, participant } = stream.address
    return {
      participantId: participant,
      source: stream.publisher.source,
      peer: stream.publisher.peer,
      joinedAtMs: stream.startedAtMs,
      tracks: stream.tracks,
      bitrateBps,
      receivedBytes: bytes,
      players: stream.playerCount,
      recordings: this.#options.recordingsOf(room, participant),
      report: stream.publisher.report?.(),
    }
  }

  #started(stream: LiveStream): void {
    this.#tell('participant_joined', stream, { source: stream.publisher.source })
    for (const track of stream.tracks) this.#tracked(stream, track)
    this.#options.onJoined(stream)
  }

  #tracked(stream: LiveStream, track: Track): void {
    const { id, epoch, kind, codec, label } = track
    this.#tell('track_added', stream, {
      track_id: id,
      epoch,
      kind,
      codec,
      ...(track.kind === 'video'
        ? { width: track.width, height: track.height }
        : { sample_rate_hz: track.sampleRateHz, channels: track.channels }),
      ...(label === undefined ? {} : { label }),
    })
  }

  #ended(stream: LiveStream, reason: EndReason): void {
    this.#tell('participant_left', stream, { reason, duration_seconds: (Date.now() - stream.startedAtMs) / 1000 })
  }

  #tell(type: EventType, { address }: LiveStream, details: Readonly<Record<string, unknown>>): void {
    const data = { room_id: address.room, participant_id: address.participant, ...details }
    this.#options.sink.emit({ type, roomId: address.room, recordingId: null, userId: null, data })
  }
}
