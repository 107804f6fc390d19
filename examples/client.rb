# botod from Ruby. Start `botod demo --keep`, export its BOTOD_SOCKET, then: ruby client.rb
require "json"
require "socket"

class BotodError < StandardError
  attr_reader :error # its code, message and data
  def initialize(error) = super((@error = error)["message"])
end

# The result and its bytes; {"$bytes" => 0} in params or result stands for the first of them.
def botod(method, params = {}, *bytes)
  request = { jsonrpc: "2.0", id: 1, method: method, params: params, bytes: bytes.map(&:bytesize) }
  UNIXSocket.open(ENV.fetch("BOTOD_SOCKET", "/run/botod/botod.sock")) do |socket|
    socket.write(JSON.generate(request), "\n", *bytes)
    answer = JSON.parse(socket.gets || raise(EOFError, "botod hung up"))
    raise BotodError, answer["error"] if answer["error"]
    pieces = answer.fetch("bytes", []).map { |size| socket.read(size) }
    raise EOFError, "botod hung up" if pieces.map { |piece| piece&.bytesize } != answer.fetch("bytes", [])
    [answer["result"], pieces]
  end
end
object = { Bucket: "demo-bucket", Key: "from Ruby" }
queue = { QueueUrl: "http://sqs/123456789012/demo-queue" }
botod("s3.put_object", { **object, Body: { "$bytes": 0 } }, (0..255).to_a.pack("C*"))
result, bytes = botod("s3.get_object", object)
botod("sqs.send_message", { **queue, MessageBody: "hello from Ruby" })
received, = botod("sqs.receive_message", { **queue, WaitTimeSeconds: 5 })
puts received["Messages"][0]["Body"]
botod("s3.get_object", { Bucket: "demo-bucket", Key: "none" }) rescue puts "#{$!.error["code"]} #{$!.message}"
$stdout.binmode.write(bytes[result["Body"]["$bytes"]])
