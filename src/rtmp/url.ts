import { RtmpUrlError } from './errors.ts'

/** Registered port of RTMP; rtmps:// has 443. */
const RTMP_PORT = 1935
const RTMPS_PORT = 443

/** An RTMP URL taken apart. */
export interface RtmpAddress {
  readonly secure: boolean
  readonly host: string
  readonly port: number
  /** Everything between host and stream name: `live`, `live/instance`. */
  readonly app: string
  /** With its query, where tokens are. */
  readonly streamName: string
  /** What connect says: the URL without the stream name. */
  readonly tcUrl: string
}

/**
 * `rtmp://host[:port]/app[/instance]/name[?query]`, or `rtmps://…`: the last segment names the stream.
 * @throws RtmpUrlError, whose message leaves out the query, as it may hold a token
 */
export function parseRtmpUrl(text: string): RtmpAddress {
  const bare = text.split('?', 1)[0]
  const url = URL.parse(text)
  if (url === null) throw new RtmpUrlError(bare, 'this is no URL')
  const secure = url.protocol === 'rtmps:'
  if (!secure && url.protocol !== 'rtmp:') throw new RtmpUrlError(bare, `${url.protocol}// is not spoken here`)
  if (url.hostname === '') throw new RtmpUrlError(bare, 'the host is missing')
  const segments = url.pathname.split('/').filter((segment) => segment !== '')
  const last = segments.pop()
  if (last === undefined || segments.length === 0) throw new RtmpUrlError(bare, 'app or stream name is missing')
  const port = url.port === '' ? (secure ? RTMPS_PORT : RTMP_PORT) : Number(url.port)
  const app = decoded(segments.join('/'))
  return {
    secure,
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port,
    app,
    streamName: decoded(last) + url.search,
    tcUrl: `${url.protocol}//${url.host}/${app}`,
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
