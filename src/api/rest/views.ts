import type { z } from 'zod'
import type { JobStatus } from '../../jobs/job.ts'
import type { Track } from '../../media/track.ts'
import type { ParticipantView, RoomView } from '../../service/control.ts'
import type { jobAnswer, participantsAnswer, roomAnswer } from './answers.ts'
import { sourceView } from './source-answer.ts'

type ParticipantAnswer = z.output<typeof participantsAnswer>['participants'][number]

/** A room as JSON. `withPeers`: whoever asks may know where participants come from. */
export function roomView(room: RoomView, withPeers: boolean): z.output<typeof roomAnswer> {
  return {
    room_id: room.roomId,
    participants: room.participants.map((each) => participantView(each, withPeers, false)),
    recordings: [...room.recordings],
  }
}

/** A participant as JSON. `withLosses`: each loss of a WebRTC source, too, which can be many. */
export function participantView(
  participant: ParticipantView,
  withPeers: boolean,
  withLosses: boolean,
): ParticipantAnswer {
  return {
    participant_id: participant.participantId,
    source: participant.source,
    peer: withPeers ? (participant.peer ?? null) : null,
    joined_at: new Date(participant.joinedAtMs).toISOString(),
    tracks: participant.tracks.map(trackView),
    bitrate_bps: Math.round(participant.bitrateBps),
    received_bytes: participant.receivedBytes,
    players: participant.players,
    recordings: [...participant.recordings],
    source_report: participant.report === undefined ? null : sourceView(participant.report, withLosses),
  }
}

/** A job as JSON. */
export function jobView(status: JobStatus): z.output<typeof jobAnswer> {
  const { job, state, percent, etaSeconds, attempts, error } = status
  const { job_id, recording_id, kind, priority } = job
  return {
    job_id,
    recording_id,
    kind,
    state,
    priority,
    percent,
    eta_seconds: etaSeconds,
    attempts,
    error: error ?? null,
  }
}

function trackView(track: Track): ParticipantAnswer['tracks'][number] {
  const label = track.label === undefined ? {} : { label: track.label }
  if (track.kind === 'audio') {
    const { kind, codec, sampleRateHz: sample_rate_hz, channels } = track
    return { kind, codec, sample_rate_hz, channels, ...label }
  }
  const { kind, codec, width, height, frameRate } = track
  return { kind, codec, width, height, ...(frameRate === undefined ? {} : { frame_rate: frameRate }), ...label }
}
