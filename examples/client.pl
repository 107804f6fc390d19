# botod from Perl. Start `botod demo --keep`, export its BOTOD_SOCKET, then: perl client.pl
use strict;
use warnings;
use IO::Socket::UNIX;
use JSON::PP;

# The result and its bytes; {'$bytes' => 0} in params or result stands for the first of them. Dies
# with the error, {code, message, data}.
sub botod {
    my ($method, $params, @bytes) = @_;
    my $path = $ENV{BOTOD_SOCKET} // '/run/botod/botod.sock';
    my $socket = IO::Socket::UNIX->new($path) or die "$path: $!\n";
    my %request = (jsonrpc => '2.0', id => 1, method => $method, params => $params // {});
    $socket->print(encode_json({ %request, bytes => [map { length } @bytes] }), "\n", @bytes);
    my $answer = decode_json(readline($socket) // die "botod hung up\n");
    die $answer->{error} if $answer->{error};
    my @came = map { read($socket, my $piece, $_) == $_ or die "botod hung up\n"; $piece } @{ $answer->{bytes} // [] };
    return ($answer->{result}, @came);
}
my %object = (Bucket => 'demo-bucket', Key => 'from Perl');
my %queue = (QueueUrl => 'http://sqs/123456789012/demo-queue');
botod('s3.put_object', { %object, Body => { '$bytes' => 0 } }, pack('C*', 0 .. 255));
my ($result, @bytes) = botod('s3.get_object', \%object);
botod('sqs.send_message', { %queue, MessageBody => 'hello from Perl' });
my ($received) = botod('sqs.receive_message', { %queue, WaitTimeSeconds => 5 });
print "$received->{Messages}[0]{Body}\n";
eval { botod('s3.get_object', { Bucket => 'demo-bucket', Key => 'none' }) };
print "$@->{code} $@->{message}\n";
binmode STDOUT;
print $bytes[$result->{Body}{'$bytes'}];
