//! The cloud: topics and payloads, version 1. Hand-written counterparts of the internal types.
