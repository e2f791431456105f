import { type OnReadOpts, Socket } from 'node:net'

/**
 * Reads `socket` into one buffer that is used again and again, instead of a new one for each read. It needs the socket's handle,
 * which Node does not document; where that is not as expected, the socket is read in the usual way. Returns the socket to
 * use from now on.
 *
 * `consume` gets the bytes for the call only.
 */
export function readShared(socket: Socket, consume: (bytes: Buffer, length: number) => void): Socket {
  const handle: unknown = Reflect.get(socket, '_handle')
  if (typeof handle === 'object' && handle !== null && typeof Reflect.get(handle, 'useUserBuffer') === 'function') {
    const buffer = Buffer.allocUnsafeSlow(64 * 1024)
    const onread: OnReadOpts = {
      buffer,
      callback: (length) => {
        consume(buffer, length)
        return true
      },
    }
    const replacement: unknown = Reflect.construct(Socket, [{ handle, onread, readable: true, writable: true }])
    if (replacement instanceof Socket) {
      Reflect.set(socket, '_handle', null)
      socket.destroy()
      replacement.resume()
      return replacement
    }
  }
  socket.on('data', (bytes: Buffer) => consume(bytes, bytes.length))
  return socket
}
