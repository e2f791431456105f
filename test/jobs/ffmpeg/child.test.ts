import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { runChild } from '../../../src/jobs/ffmpeg/child.ts'
import { until } from '../../peers/until.ts'

const sh = (script: string, options: Partial<Parameters<typeof runChild>[2]> = {}) =>
  runChild('sh', ['-c', script], { signal: new AbortController().signal, ...options })

/** One that has ended and waits for whoever inherited it to notice does not count. */
function isAlive(pid: number): boolean {
  try {
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return false
  }
}

describe('a child', () => {
  it('gives its lines as they come, and the last of its complaints', async () => {
    const lines: string[] = []
    const onLine = (line: string) => {
      lines.push(line)
      return true
    }
    expect(await sh('echo one; echo two; printf three; echo oops >&2', { onLine })).toBe('oops\n')
    expect(lines).toEqual(['one', 'two', 'three'])
    const long = await sh('i=0; while [ $i -lt 4000 ]; do echo "complaint $i" >&2; i=$((i+1)); done')
    expect(long.length).toBe(16 * 1024)
    expect(long.endsWith('complaint 3999\n')).toBe(true)
  })

  it('has nothing to read and a lower priority', async () => {
    const lines: string[] = []
    await sh('cat; nice', { onLine: (line) => lines.push(line) > 0 })
    expect(lines).toEqual(['10'])
  })

  it('fails with its code or signal and what it said', async () => {
    await expect(sh('echo bad luck >&2; exit 3')).rejects.toMatchObject({
      ...{ code: 'TD_FFMPEG_FAILED', fault: 'host', stderr: 'bad luck\n' },
      message: 'ffmpeg ended with code 3: bad luck',
    })
    await expect(sh('kill -SEGV $$')).rejects.toMatchObject({
      message: expect.stringMatching(/^ffmpeg was ended by SIGSEGV: /),
    })
    await expect(sh('exit 255')).rejects.toMatchObject({ message: 'ffmpeg ended with code 255: it said nothing' })
  })

  it('that is not there is missing', async () => {
    const signal = new AbortController().signal
    await expect(runChild('/nowhere/ffmpeg', [], { signal })).rejects.toMatchObject({ code: 'TD_FFMPEG_MISSING' })
    await expect(runChild('/etc/passwd', [], { signal })).rejects.toMatchObject({ code: 'TD_FFMPEG_MISSING' })
  })

  it('is asked to end when the run is aborted, and may tidy up', async () => {
    const abort = new AbortController()
    const lines: string[] = []
    const onLine = (line: string) => {
      lines.push(line)
      if (line === 'ready') abort.abort(new Error('enough'))
      return true
    }
    const script = 'trap "echo tidied; exit 0" TERM; echo ready; while :; do sleep 0.05; done'
    await expect(sh(script, { signal: abort.signal, onLine })).rejects.toThrow('enough')
    expect(lines).toEqual(['ready', 'tidied'])
    await expect(sh('echo never', { signal: abort.signal, onLine })).rejects.toThrow('enough')
    expect(lines).toHaveLength(2)
  })

  it('is killed two seconds later when it does not', async () => {
    const abort = new AbortController()
    let pid = 0
    const onLine = (line: string) => {
      pid = Number(line)
      abort.abort(new Error('enough'))
      return true
    }
    const began = performance.now()
    const script = 'trap "" TERM; echo $$; while :; do sleep 0.1; done'
    await expect(sh(script, { signal: abort.signal, onLine })).rejects.toThrow('enough')
    expect(performance.now() - began).toBeGreaterThan(1900)
    expect(performance.now() - began).toBeLessThan(6000)
    await until('the end of the program', () => (isAlive(pid) ? undefined : true))
  })

  it('is killed when it shows no progress', async () => {
    const onLine = (line: string) => line !== 'same'
    const script = 'echo first; while :; do echo same; sleep 0.05; done'
    await expect(sh(script, { stallMs: 400, onLine })).rejects.toMatchObject({
      ...{ code: 'TD_FFMPEG_FAILED' },
      message: expect.stringContaining('hung: no progress for 0.4 s'),
    })
    await sh('for i in 1 2 3 4 5 6 7 8; do echo $i; sleep 0.25; done', { stallMs: 1500, onLine })
  })

  it('goes with its supervisor', async () => {
    const pids: number[] = []
    const onLine = (line: string) => {
      const [program, supervisor] = line.split(' ').map(Number)
      pids.push(program)
      process.kill(supervisor, 'SIGKILL')
      return true
    }
    const run = sh('echo $$ $PPID; exec sleep 30', { onLine })
    await expect(run).rejects.toMatchObject({ message: 'ffmpeg was ended by SIGKILL: it said nothing' })
    await until('the end of the program', () => (pids.some(isAlive) ? undefined : true))
    expect(pids).toHaveLength(1)
  })

  it('leaves no listener on a signal that lives longer', async () => {
    const target = new AbortController()
    for (let i = 0; i < 15; i++) await sh('exit 0', { signal: target.signal })
    const fired = once(target.signal, 'abort')
    target.abort()
    await fired
  })
})
