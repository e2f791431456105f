import { RtmpPublisher } from '../ingest/rtmp/publisher.ts'
import { streamAddress } from '../live/address.ts'
import { Hub } from '../live/hub.ts'
import type { EndReason } from '../live/subscriber.ts'
import type { Logger } from '../media/ports.ts'
import { type RecorderConfig, recorderConfigSchema } from '../recorder/config.ts'
import { Recorder, type RecordOptions } from '../recorder/recorder.ts'
import type { Recording } from '../recorder/recording.ts'
import { RtmpClient } from '../rtmp/client.ts'
import { splitQuery } from '../rtmp/stream-name.ts'
import { SqliteJournal } from '../state/sqlite-journal.ts'
import { DiskStorage } from '../storage/disk.ts'

/** How a remote stream is kept. */
export interface PullOptions extends RecordOptions {
  readonly url: string
  readonly timeoutMs: number
  readonly config: Partial<RecorderConfig>
  readonly logger: Logger
}

/** A remote stream being played and kept: connected → recording → stopped. */
export class Pull {
  readonly recording: Recording
  /** Resolves when the remote end or the connection ended it. */
  readonly ended: Promise<EndReason>
  readonly #client: RtmpClient
  readonly #recorder: Recorder
  readonly #journal: SqliteJournal

  private constructor(client: RtmpClient, recorder: Recorder, journal: SqliteJournal, target: PullTarget) {
    this.#client = client
    this.#recorder = recorder
    this.#journal = journal
    this.recording = target.recording
    this.ended = target.ended
  }

  /** Connects, plays, and records from the first keyframe. @throws what `RtmpClient.connect` and `play` throw */
  static async start(options: PullOptions): Promise<Pull> {
    const { url, timeoutMs, config, logger, ...record } = options
    const client = await RtmpClient.connect(url, { timeoutMs })
    const hub = new Hub({ takeover: false, maxStreams: 1 }, logger)
    const journal = new SqliteJournal(':memory:')
    const recorder = new Recorder({
      hub,
      journal,
      storage: new DiskStorage(),
      config: recorderConfigSchema.parse({ ...config, recordAll: false, statsIntervalMs: 0 }),
      logger,
    })
    try {
      await recorder.start()
      const { app, streamName, host, port } = client.address
      const disconnect = (): void => void client.close()
      const stream = hub.publish(streamAddress(app, splitQuery(streamName).name), { source: 'pull', disconnect })
      const ended = new Promise<EndReason>((resolve) => void hub.listen({ ended: (_, reason) => resolve(reason) }))
      const peer = { id: 0, address: `${host}:${port}`, secure: url.startsWith('rtmps:'), agent: '', disconnect }
      const recording = recorder.record(stream, record)
      await client.play(new RtmpPublisher(stream, peer, logger))
      return new Pull(client, recorder, journal, { recording, ended })
    } catch (error) {
      await client.close()
      hub.close()
      await recorder.stop({ deadlineMs: 0 })
      journal.close()
      throw error
    }
  }

  /** Ends the connection and finishes the files. Never throws: how it went is in the recording's report. */
  async stop(deadlineMs: number): Promise<void> {
    await this.#client.close()
    await this.recording.stop()
    await this.#recorder.stop({ deadlineMs })
    this.#journal.close()
  }
}

interface PullTarget {
  readonly recording: Recording
  readonly ended: Promise<EndReason>
}
