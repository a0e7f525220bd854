import type { Logger } from '../core/logger.js';
import { unpackAttributes } from '../normalise/msgpack.js';
import type { Registry } from '../registry/registry.js';
import type { AttributesStore } from './shipper.js';

/**
 * Applies the attributes of a journal record to the registry; the same record twice is no change.
 * Values that cannot be kept, because their device was deleted meanwhile, are logged.
 */
export function registryAttributes(logger: Logger, registry: Registry): AttributesStore {
  return async (packed) => {
    const { skipped } = await registry.applyAttributes(unpackAttributes(packed));
    if (skipped > 0) logger.limited('attributes_skipped', { values: skipped });
  };
}
