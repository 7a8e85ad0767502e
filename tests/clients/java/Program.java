import com.rabbitmq.client.*;
import java.util.*;
import java.util.concurrent.*;

/** The Java client: confirms, consumers on its threads, returns, transactions, recovery of nothing lost, refusals. */
public class Program {
    static final int MESSAGES = 2000;
    static final long DEADLINE_S = 60;

    static void ok(String what, boolean holds, Object... seen) {
        if (!holds) throw new AssertionError(what + " " + Arrays.deepToString(seen));
        System.out.println("ok " + what);
    }

    static String name(String what) {
        return "clients-" + what + "-" + UUID.randomUUID();
    }

    public static void main(String[] arguments) throws Exception {
        ConnectionFactory factory = new ConnectionFactory();
        factory.setUri(System.getenv("AMQP_URL").replaceAll("/$", ""));
        factory.setRequestedHeartbeat(5);
        try (Connection connection = factory.newConnection("Java program")) {
            work(connection);
            returns(connection);
            transactions(connection);
            refusals(connection);
            properties(connection);
        }
        System.exit(0);
    }

    static void work(Connection connection) throws Exception {
        Channel channel = connection.createChannel();
        String queue = channel.queueDeclare(name("java"), true, false, true, Map.of("x-max-length", 1_000_000)).getQueue();
        channel.confirmSelect();
        for (int i = 0; i < MESSAGES; i++)
            channel.basicPublish("", queue, MessageProperties.PERSISTENT_BASIC, Integer.toString(i).getBytes());
        ok("messages are confirmed", channel.waitForConfirms(DEADLINE_S * 1000));
        Set<Integer> got = ConcurrentHashMap.newKeySet();
        CountDownLatch all = new CountDownLatch(MESSAGES);
        for (int worker = 0; worker < 4; worker++) {
            Channel own = connection.createChannel();
            own.basicQos(20);
            own.basicConsume(queue, false, new DefaultConsumer(own) {
                @Override
                public void handleDelivery(String tag, Envelope envelope, AMQP.BasicProperties properties, byte[] body)
                        throws java.io.IOException {
                    int number = Integer.parseInt(new String(body));
                    if (number % 100 == 0 && !envelope.isRedeliver()) {
                        own.basicNack(envelope.getDeliveryTag(), false, true);
                        return;
                    }
                    own.basicAck(envelope.getDeliveryTag(), false);
                    if (got.add(number)) all.countDown();
                }
            });
        }
        ok("four workers consume everything", all.await(DEADLINE_S, TimeUnit.SECONDS), all.getCount());
    }

    static void returns(Connection connection) throws Exception {
        Channel channel = connection.createChannel();
        BlockingQueue<Integer> returned = new LinkedBlockingQueue<>();
        channel.addReturnListener((code, text, exchange, key, properties, body) -> returned.add(code));
        channel.basicPublish("amq.topic", name("nobody"), true, null, "back".getBytes());
        ok("an unroutable message returns", Integer.valueOf(AMQP.NO_ROUTE).equals(returned.poll(DEADLINE_S, TimeUnit.SECONDS)));
    }

    static void transactions(Connection connection) throws Exception {
        Channel channel = connection.createChannel();
        String queue = channel.queueDeclare().getQueue();
        channel.txSelect();
        channel.basicPublish("", queue, null, "lost".getBytes());
        channel.txRollback();
        channel.basicPublish("", queue, null, "kept".getBytes());
        channel.txCommit();
        GetResponse first = channel.basicGet(queue, true);
        ok("a transaction commits and rolls back", new String(first.getBody()).equals("kept") && first.getMessageCount() == 0);
    }

    static void refusals(Connection connection) throws Exception {
        Channel channel = connection.createChannel();
        try {
            channel.queueDeclarePassive(name("absent"));
            ok("a missing queue is refused", false);
        } catch (java.io.IOException error) {
            ShutdownSignalException reason = (ShutdownSignalException) error.getCause();
            AMQP.Channel.Close close = (AMQP.Channel.Close) reason.getReason();
            ok("a missing queue is refused", close.getReplyCode() == AMQP.NOT_FOUND && !channel.isOpen(), close);
        }
    }

    static void properties(Connection connection) throws Exception {
        Channel channel = connection.createChannel();
        String queue = channel.queueDeclare().getQueue();
        Map<String, Object> headers = new HashMap<>();
        headers.put("decimal", new java.math.BigDecimal("12.34"));
        headers.put("long", Long.MAX_VALUE);
        headers.put("short", (short) -2);
        headers.put("byte", (byte) -1);
        headers.put("float", 1.5f);
        headers.put("date", new Date(1_700_000_000_000L));
        headers.put("list", List.of(1, Map.of("deep", true)));
        headers.put("nothing", null);
        byte[] body = new byte[2_000_000];
        new Random(1).nextBytes(body);
        channel.basicPublish("", queue, new AMQP.BasicProperties.Builder().headers(headers).priority(255).build(), body);
        GetResponse got = channel.basicGet(queue, true);
        ok("headers of every type return as sent", got.getProps().getHeaders().equals(headers), got.getProps().getHeaders());
        ok("a large body returns as sent", Arrays.equals(got.getBody(), body));
    }
}
