//! Sockets and tasks of the AMQP listener.
