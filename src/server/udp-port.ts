import { createSocket } from 'node:dgram'
import { isIPv6 } from 'node:net'

/** Whether somebody else has UDP `port` of `address` now. Never throws; what cannot be told is no. */
export async function isUdpPortTaken(port: number, address = '0.0.0.0'): Promise<boolean> {
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4')
  try {
    return await new Promise<boolean>((resolve) => {
      socket.once('error', (error) => resolve('code' in error && error.code === 'EADDRINUSE'))
      socket.bind({ port, address, exclusive: true }, () => resolve(false))
    })
  } finally {
    socket.close()
  }
}
