// A file system that hangs, as NFS does when its server is gone.

/**
 * Perl: mounts a FUSE file system on its first argument, agrees with the kernel on a version, and takes every request
 * from then on without an answer, until it is ended. Who waits for such an answer cannot even be killed. The second
 * argument is the architecture, as Node.js or `uname -m` names it; 165 is mount(2) on x86-64, 40 on arm64. It needs
 * root and /dev/fuse, and prints "mounted" once it is so.
 */
export const HANGING_MOUNT = `
  sysopen(my $fuse, "/dev/fuse", 2) or die "open: $!";
  my $data = sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", fileno($fuse));
  my ($number, $source, $target, $type) = ($ARGV[1] =~ /^x/ ? 165 : 40, "hang", $ARGV[0], "fuse");
  syscall($number, $source, $target, $type, 0, $data) == 0 or die "mount: $!";
  sysread($fuse, my $request, 1 << 17) or die "read: $!";
  syswrite($fuse, pack("LlQ LLLLLL", 40, 0, unpack("x8 Q", $request), 7, 8, 65536, 0, 0, 65536)) or die "write: $!";
  $| = 1; print "mounted\\n";
  while (sysread($fuse, $request, 1 << 17)) {}
`;
