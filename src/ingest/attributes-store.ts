import { unpackAttributes } from '../normalise/msgpack.js';
import type { Registry } from '../registry/registry.js';
import type { AttributesStore } from './shipper.js';

/**
 * Applies the attributes of a journal record to the registry; the same record twice is no change.
 */
export function registryAttributes(registry: Registry): AttributesStore {
  return async (packed) => {
    await registry.applyAttributes(unpackAttributes(packed));
  };
}
