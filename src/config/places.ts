import { join } from 'node:path'
import { readOrMakeSecret, readSecret } from '../api/secret.ts'
import type { Settings } from './settings-schema.ts'

/** The database of a server's state. */
export function statePath(settings: Pick<Settings, 'dataDir'>): string {
  return join(settings.dataDir, 'state.db')
}

/** Where a server notes what happens to files. */
export function auditPath(settings: Pick<Settings, 'dataDir' | 'auditLog'>): string {
  return settings.auditLog ?? join(settings.dataDir, 'audit.log')
}

/** The secret that signs and checks tokens; made where there is none and none was named. @throws SecretError */
export function signingSecret(settings: Pick<Settings, 'dataDir' | 'jwtSecretFile'>): Uint8Array {
  if (settings.jwtSecretFile !== undefined) return readSecret(settings.jwtSecretFile)
  return readOrMakeSecret(join(settings.dataDir, 'secret'))
}

/** The secret that signs webhooks; made where there is none and none was named. @throws SecretError */
export function webhookSecret(settings: Pick<Settings, 'dataDir' | 'webhookSecretFile'>): Uint8Array {
  if (settings.webhookSecretFile !== undefined) return readSecret(settings.webhookSecretFile)
  return readOrMakeSecret(join(settings.dataDir, 'webhook-secret'))
}

/** The secret that is shared with TURN servers, as long as they have it. @throws SecretError */
export function turnSecret({ turnSecretFile }: Pick<Settings, 'turnSecretFile'>): string | undefined {
  return turnSecretFile === undefined ? undefined : Buffer.from(readSecret(turnSecretFile, 1)).toString()
}
