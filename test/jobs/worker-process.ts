import type { Job, JobContext, JobResult } from '../../src/jobs/job.ts'
import { openQueue, type QueuePlace } from './queue-place.ts'

// One worker as a process of its own: what it does is written in the ids of the jobs, what it did on standard output.
const [placeText = '', node = ''] = process.argv.slice(2)
const place: QueuePlace = JSON.parse(placeText)
const queue = openQueue(place, node)
let release: (() => void) | undefined

const say = (text: string): void => {
  process.stdout.write(`${text}\n`)
}

async function handler({ job_id: id }: Job, { signal }: JobContext): Promise<JobResult> {
  say(`began ${id}`)
  if (id.startsWith('die')) process.kill(process.pid, 'SIGKILL')
  if (id.startsWith('hang')) {
    await new Promise<void>((resolve, reject) => {
      release = resolve
      signal.addEventListener('abort', () => {
        say(`aborted ${id}`)
        reject(new Error('aborted'))
      })
    })
  }
  if (id.startsWith('slow')) await new Promise((resolve) => setTimeout(resolve, 60))
  if (id.startsWith('fail')) throw new Error('no luck')
  say(`did ${id}`)
  return { files: [] }
}

queue.work(handler, { concurrency: 1 })
process.stdin.on('data', () => release?.())
process.on('SIGTERM', () => {
  void queue.close().then(() => process.exit(0))
})
say('works')
