<?php // botod from PHP. Start `botod demo --keep`, export its BOTOD_SOCKET, then: php client.php

/** The result and its bytes; ['$bytes' => 0] in params or result stands for the first of them. */
function botod(string $method, array $params = [], string ...$bytes): array
{
    $hung_up = new Exception('botod hung up');
    $socket = stream_socket_client('unix://' . (getenv('BOTOD_SOCKET') ?: '/run/botod/botod.sock'));
    stream_set_timeout($socket, 905);
    $sizes = array_map('strlen', $bytes);
    $request = ['jsonrpc' => '2.0', 'id' => 1, 'method' => $method, 'params' => (object) $params, 'bytes' => $sizes];
    fwrite($socket, json_encode($request, JSON_THROW_ON_ERROR) . "\n" . implode($bytes));
    $answer = json_decode(fgets($socket) ?: throw $hung_up, true);
    $error = $answer['error'] ?? null and throw new Exception($error['message'], $error['code']);
    $whole = fn($piece, $size) => strlen($piece) === $size ? $piece : throw $hung_up;
    $read = fn($size) => $size ? $whole(stream_get_contents($socket, $size), $size) : '';
    return [$answer['result'], array_map($read, $answer['bytes'] ?? [])];
}
$object = ['Bucket' => 'demo-bucket', 'Key' => 'from PHP'];
$queue = ['QueueUrl' => 'http://sqs/123456789012/demo-queue'];
botod('s3.put_object', $object + ['Body' => ['$bytes' => 0]], implode(array_map('chr', range(0, 255))));
[$result, $bytes] = botod('s3.get_object', $object);
botod('sqs.send_message', $queue + ['MessageBody' => 'hello from PHP']);
[$received] = botod('sqs.receive_message', $queue + ['WaitTimeSeconds' => 5]);
echo $received['Messages'][0]['Body'], "\n";
try {
    botod('s3.get_object', ['Bucket' => 'demo-bucket', 'Key' => 'none']);
} catch (Exception $error) {
    echo $error->getCode(), ' ', $error->getMessage(), "\n";
}
echo $bytes[$result['Body']['$bytes']];
