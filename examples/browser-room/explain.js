// What went wrong, in words that say what to do.

const DEVICES = {
  NotAllowedError:
    'This page may not use the camera, microphone or screen: allow it beside the address, and try again.',
  NotFoundError: 'There is no camera or no microphone.',
  NotReadableError: 'Camera or microphone are in use by another program.',
}
const REFUSALS = {
  TD_NAME_BUSY: 'Somebody with this name is in the room: take another one.',
  TD_BAD_TOKEN: 'This server wants a token: make one with `tapedeck token --user you --room demo --role viewer`.',
  TD_FORBIDDEN: 'The token is not for this room, or not for publishing and watching.',
}

export function explain(error, server) {
  if (navigator.mediaDevices === undefined)
    return 'Browsers give camera and microphone to https and to http://localhost alone.'
  if (error?.name in DEVICES) return DEVICES[error.name]
  if (error?.code in REFUSALS) return `${REFUSALS[error.code]}\n${error.message}`
  // fetch and import say no more than this when nobody answers, or the answer is not for this page
  if (error instanceof TypeError) {
    return `No answer from ${server} for this page. Is it running, and does it let the page in?\nnpm start -- --cors-origins ${location.origin}`
  }
  return error instanceof Error ? error.message : String(error)
}
