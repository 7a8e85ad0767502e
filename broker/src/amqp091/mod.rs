//! AMQP 0-9-1 as values: bytes and frames in, effects out. No socket, task or storage.
