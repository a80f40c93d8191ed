#!/usr/bin/perl
# SPDX-License-Identifier: GPL-2.0-or-later
# meddle.pl REPORT KIND SEED [K HOW] - pass on the messages of one direction of a migration's channel.
#
# Message K is meddled with as HOW says, and REPORT gets a line that says so.  Without K, REPORT gets
# a line `KIND N` when there were N messages.
use strict;
use warnings;

my ($report, $kind, $seed, $k, $how) = @ARGV;
my ($heard, $before, $count) = ('', '', 0);
$k //= 0;
srand($seed * 1000 + $k);
$SIG{PIPE} = 'IGNORE';

sub send_on {
	my ($text) = @_;
	while (length $text) {
		my $sent = syswrite(STDOUT, $text) // exit 0;
		$text = substr($text, $sent);
	}
}

# A line, and the data that it announces; undefined at the end.
sub next_message {
	my $length;
	until (defined $length && length($heard) >= $length) {
		if (!defined $length && $heard =~ /^([^\n]*\n)/) {
			my $line = $1;
			$length = length($line) + ($line =~ /"data": ?(\d+)/ ? $1 : 0);
			next;
		}
		sysread(STDIN, $heard, 65536, length $heard) or return undef;
	}
	return substr($heard, 0, $length, '');
}

sub note {
	my ($text) = @_;
	open(my $file, '>>', $report) or die "$report: $!";
	print $file "$text\n";
}

sub flip {
	my ($text) = @_;
	my $at = int(rand(length($text) - 1));
	substr($text, $at, 1) = chr(ord(substr($text, $at, 1)) ^ (1 << int(rand(8))));
	return $text;
}

my %ways = (
	flip => sub { send_on(flip($_[0])) },
	drop => sub { },
	twice => sub { send_on($_[0] . $_[0]) },
	late => sub { sleep 2; send_on($_[0]) },
	stale => sub { send_on($before); send_on($_[0]) },
	noise => sub { send_on(join('', map { chr int rand 256 } 1 .. 100) . "\n" . $_[0]) },
	half => sub { send_on(substr($_[0], 0, length($_[0]) / 2)); 1 while defined next_message() },
	end => sub { send_on(substr($_[0], 0, length($_[0]) / 2)); exit 0 },
);

while (defined(my $message = next_message())) {
	if (++$count == $k) {
		note("$kind $k $how");
		$ways{$how}->($message);
	} else {
		send_on($message);
	}
	$before = $message;
}
note("$kind $count") unless $k;
