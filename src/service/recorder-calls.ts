import type { LiveStream } from '../live/stream.ts'
import type { Part } from '../recorder/part.ts'
import type { Recorder, RecordOptions } from '../recorder/recorder.ts'
import type { Recording } from '../recorder/recording.ts'
import type { RecordingState } from '../recorder/state-machine.ts'

/** Whose files a participant's recording are. Calls may come before `record` has returned. */
export interface TakeOwner {
  created(recording: Recording, part: Part): void
  moved(recording: Recording, to: RecordingState): void
}

/** Has the recorder record, and tells whoever asked for it what becomes of it. */
export class RecorderCalls {
  readonly #recorder: Recorder
  readonly #owners = new WeakMap<Recording, TakeOwner>()
  readonly #unlisten: () => void
  #asking: TakeOwner | undefined

  constructor(recorder: Recorder) {
    this.#recorder = recorder
    this.#unlisten = recorder.listen({
      started: (recording) => {
        if (this.#asking !== undefined) this.#owners.set(recording, this.#asking)
      },
      created: (recording, part) => this.#owners.get(recording)?.created(recording, part),
      moved: (recording, _, to) => this.#owners.get(recording)?.moved(recording, to),
    })
  }

  /** Records `stream` from its last keyframe on. @throws MisuseError when the recorder was stopped */
  record(stream: LiveStream, options: RecordOptions, owner: TakeOwner): Recording {
    this.#asking = owner
    try {
      return this.#recorder.record(stream, options)
    } finally {
      this.#asking = undefined
    }
  }

  close(): void {
    this.#unlisten()
  }
}
