import type { DeviceId } from '../core/ids.js';
import type { Metrics } from '../core/metrics.js';
import type { Device } from '../registry/device.js';

/** Why the node ends a session of its own accord. */
export type SessionEnd =
  | 'takenOver'
  | 'tooManySessions'
  | 'credentialsChanged'
  | 'deviceDisabled'
  | 'deviceDeleted';

/** One connected session of a device, whatever its protocol. */
export interface DeviceSession {
  /** With `sessionName` it says who takes over whom. */
  readonly protocol: string;
  /** The name that the device gave the session, e.g. the MQTT client identifier. */
  readonly sessionName: string;
  /** Ends the session and tells the device why, in the protocol's words. Must not throw. */
  end(reason: SessionEnd): void;
  /** The device's settings changed; its credentials are still good. */
  deviceChanged(device: Device): void;
  /** One of the device's credentials ended: the session ends too if it was opened with that one. */
  credentialEnded(device: Device): void;
}

/** Who reports changes of devices: the credential cache. */
export interface DeviceChanges {
  onChange(
    listener: (id: DeviceId, device: Device | undefined, credentials: boolean) => void,
  ): void;
}

/**
 * The sessions that are connected to this node.
 *
 *     device id ─► one session            the common case costs no array
 *               ─► [oldest … newest]      at most `sessionsPerDeviceMax`
 *
 * Within a device a newer session of the same protocol and name takes over the older one; one more
 * session than allowed ends the oldest. A session is here from `register` to `unregister`.
 */
export class Sessions {
  readonly #metrics: Metrics;
  readonly #perDeviceMax: number;
  readonly #byDevice: Map<DeviceId, DeviceSession | DeviceSession[]>;
  #count: number;

  constructor(metrics: Metrics, sessionsPerDeviceMax: number) {
    this.#metrics = metrics;
    this.#perDeviceMax = sessionsPerDeviceMax;
    this.#byDevice = new Map();
    this.#count = 0;
  }

  /** Sessions connected now, over all protocols. */
  get count(): number {
    return this.#count;
  }

  /** Ends or updates sessions when their device changes: within the second that changes take. */
  follow(changes: DeviceChanges): void {
    changes.onChange((id, device, credentials) => {
      if (device === undefined) this.endAll(id, 'deviceDeleted');
      else if (!device.enabled) this.endAll(id, 'deviceDisabled');
      else {
        for (const session of this.of(id)) {
          if (credentials) session.credentialEnded(device);
          else session.deviceChanged(device);
        }
      }
    });
  }

  /** Adds a session; whom it takes over, or the oldest above the maximum, is ended first. */
  register(id: DeviceId, session: DeviceSession): void {
    const present = this.#byDevice.get(id);
    if (present !== undefined) this.#makeRoom(id, session);
    const rest = this.#byDevice.get(id);
    if (rest === undefined) this.#byDevice.set(id, session);
    else if (Array.isArray(rest)) rest.push(session);
    else this.#byDevice.set(id, [rest, session]);
    this.#count += 1;
  }

  /** Removes a session; does nothing when it is not here any more. */
  unregister(id: DeviceId, session: DeviceSession): void {
    const present = this.#byDevice.get(id);
    if (present === session) {
      this.#byDevice.delete(id);
      this.#count -= 1;
      return;
    }
    if (!Array.isArray(present)) return;
    const index = present.indexOf(session);
    if (index < 0) return;
    present.splice(index, 1);
    this.#count -= 1;
    const last = present[0];
    if (present.length === 1 && last !== undefined) this.#byDevice.set(id, last);
  }

  /** A device's sessions, oldest first; a copy, so that sessions may end while it is walked. */
  of(id: DeviceId): DeviceSession[] {
    const present = this.#byDevice.get(id);
    if (present === undefined) return [];
    return Array.isArray(present) ? present.slice() : [present];
  }

  endAll(id: DeviceId, reason: SessionEnd): void {
    for (const session of this.of(id)) {
      this.unregister(id, session);
      session.end(reason);
    }
  }

  #makeRoom(id: DeviceId, session: DeviceSession): void {
    for (const older of this.of(id)) {
      if (older.protocol === session.protocol && older.sessionName === session.sessionName) {
        this.unregister(id, older);
        this.#metrics.sessionTakeovers.inc();
        older.end('takenOver');
        return;
      }
    }
    const all = this.of(id);
    const oldest = all[0];
    if (oldest !== undefined && all.length >= this.#perDeviceMax) {
      this.unregister(id, oldest);
      oldest.end('tooManySessions');
    }
  }
}
