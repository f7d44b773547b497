/** Networks by the size that clusters mostly give them; nothing in a capture tells how large one really is. */

/** The /24 or /64 of an address, as text. */
export const networkOf = (address: string): string =>
  address.includes(':') ? address.split(':').slice(0, 4).join(':') : address.slice(0, address.lastIndexOf('.'))

/** The /16 or /48 of an address, as text. */
export const rangeOf = (address: string): string =>
  address.includes(':') ? address.split(':').slice(0, 3).join(':') : address.split('.').slice(0, 2).join('.')

/** True for an address that is the asker's own host, or its pod, whoever asks. */
export const isLoopback = (address: string): boolean => address.startsWith('127.') || address === '::1'
