import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { type Endpoint, formatDuration, formatEndpoint, type Settings } from '../config.ts'
import { packageVersion } from '../server/version.ts'
import { type ServerAddresses, TapedeckServer } from '../server.ts'
import { EXIT } from './exit-codes.ts'
import { countText } from './figures.ts'
import { processLog } from './log.ts'
import { StopSignal } from './stop-signal.ts'

/** Runs a server until a signal ends it. Resolves to the exit code. */
export async function serve(settings: Settings): Promise<number> {
  const log = processLog(settings)
  const stopSignal = new StopSignal(() => {
    log.flush()
    process.exit(EXIT.interrupted)
  })
  try {
    const server = new TapedeckServer(settings, log.logger)
    const addresses = await server.start()
    process.stdout.write(welcome(settings, addresses))
    const signal = await stopSignal.first
    log.logger.info({ signal, deadlineMs: settings.stopTimeout }, 'finishing recordings')
    process.stdout.write(farewell(server.recorder.recordings.length, settings.stopTimeout))
    const { unfinished } = await server.stop()
    if (unfinished === 0) return EXIT.ok
    process.stdout.write(`${countText(unfinished, 'file')} not finished in time; the next start does it\n`)
    return EXIT.partly
  } finally {
    stopSignal.release()
    log.flush()
  }
}

function welcome(settings: Settings, { rtmp, rtmps, http }: ServerAddresses): string {
  const lines = [`tapedeck ${packageVersion()}`]
  const urls = [rtmp && url('rtmp', rtmp), rtmps && url('rtmps', rtmps)].filter((text) => text !== undefined)
  for (const base of urls) lines.push(`  publish   ${base}/{room}/{name}`)
  const [first] = urls
  if (first !== undefined) lines.push(`            ffmpeg -re -i in.mp4 -c copy -f flv ${first}/live/test`)
  const whip = settings.webrtc === 'on' && http !== undefined ? url('http', http) : undefined
  if (whip !== undefined) lines.push(`            ${whip}/whip/{room}/{name}  from browsers and OBS (WHIP)`)
  const what = settings.recordAll ? settings.recordFormat : 'only what is asked for'
  lines.push(`  files     ${resolve(settings.recordDir)}  (${what})`)
  if (http !== undefined) lines.push(`  API       ${url('http', http)}/api/docs`)
  if (http !== undefined) lines.push(`  metrics   ${url('http', http)}/metrics  and /healthz`)
  lines.push('  Ctrl-C finishes all recordings and stops; a second one leaves at once')
  return `${lines.join('\n')}\n`
}

/** A URL that somebody can use: a wildcard address stands for this host. */
function url(scheme: string, endpoint: Endpoint): string {
  const isWildcard = endpoint.host === '0.0.0.0' || endpoint.host === '::'
  return `${scheme}://${formatEndpoint(isWildcard ? { ...endpoint, host: hostname() } : endpoint)}`
}

function farewell(recordings: number, deadlineMs: number): string {
  if (recordings === 0) return 'stopping\n'
  return `finishing ${countText(recordings, 'recording')} (at most ${formatDuration(deadlineMs)}; Ctrl-C again leaves at once)\n`
}
