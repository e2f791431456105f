import type { LocalTransport, RemoteTransport } from '../../src/webrtc/transport.ts'

/** What a session description with one m-line says about its transport. */
export function transportOf(sdp: string): RemoteTransport {
  const attribute = (name: string) => new RegExp(`^a=${name}:(.*?)\r?$`, 'm').exec(sdp)?.[1] ?? ''
  const [algorithm, value] = attribute('fingerprint').split(' ')
  const setup = attribute('setup')
  if (setup !== 'active' && setup !== 'passive' && setup !== 'actpass') throw new Error(`no DTLS role: ${setup}`)
  return {
    iceUfrag: attribute('ice-ufrag'),
    icePwd: attribute('ice-pwd'),
    fingerprint: { algorithm, value },
    setup,
    candidates: [...sdp.matchAll(/^a=(candidate:.*?)\r?$/gm)].map((match) => match[1]),
  }
}

/** The answer to an offer of `RtpSender` that takes all of it. */
export function answerTo(offer: string, local: LocalTransport): string {
  const kept = offer
    .split(/\r?\n/)
    .filter(
      (line) => !/^a=(setup|ice-|fingerprint|candidate|end-of|ssrc|msid|sendrecv|group)/.test(line) && line !== '',
    )
  const transport = [
    `a=setup:${local.setup}`,
    `a=ice-ufrag:${local.iceUfrag}`,
    `a=ice-pwd:${local.icePwd}`,
    `a=fingerprint:${local.fingerprint.algorithm} ${local.fingerprint.value}`,
    'a=sendrecv',
    ...local.candidates.map((line) => `a=${line}`),
  ]
  return [...kept, ...transport, ''].join('\r\n')
}
