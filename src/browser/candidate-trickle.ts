/// <reference lib="dom" />

/** Candidates that are found so soon after another go along with it, ms. */
const GATHER_MS = 50
/** What a fragment says before its candidates: of which ICE session, and of which m-line; as all are bundled, of the first. */
const HEAD = ['a=ice-ufrag:', 'a=ice-pwd:', 'm=', 'a=mid:']

/**
 * Makes fragments of the candidates that `peer` finds from now on, for the server (RFC 9725 §4.3.1, RFC 8840 §9). To be called before
 * its local description is set.
 */
export function trickleCandidates(peer: RTCPeerConnection, send: (fragment: string) => void): void {
  let waiting: string[] = []
  const flush = (): void => {
    const lines = peer.localDescription?.sdp.split(/\r?\n/) ?? []
    const head = HEAD.map((start) => lines.find((line) => line.startsWith(start)))
    if (peer.signalingState !== 'closed') send([...head, ...waiting, ''].join('\r\n'))
    waiting = []
  }
  peer.addEventListener('icecandidate', ({ candidate }) => {
    if (candidate === null || candidate.candidate === '') return
    if (waiting.length === 0) setTimeout(flush, GATHER_MS)
    waiting.push(`a=${candidate.candidate}`)
  })
}
