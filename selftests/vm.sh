#!/bin/bash
# SPDX-License-Identifier: GPL-2.0
#
# Boots a throw-away VM with this repository's module and tools installed in
# it and runs a command there as root.
set -euo pipefail
. "$(dirname "$0")/vm/common.sh"

usage()
{
	cat <<END
usage: vm.sh [-s SUITE] [-d] [-i] [-c CPUS] [-m MIB] [-w DIR] [-t SECONDS]
             -- COMMAND...

Runs COMMAND as root in a VM with the kernel and programs of a Debian suite,
in this repository's folder, and returns its output and exit status.

  -s SUITE    the suite, default bookworm
  -d          a kernel with KASAN, lockdep, kmemleak and the like
  -i          a clock that counts instructions: one figure, twice the same
  -c CPUS     default 2
  -m MIB      memory, default 1024 (1536 with -d)
  -w DIR      DIR is writable in the VM, at its own path
  -t SECONDS  ends a command that hangs, wall time, default 600

exit status: COMMAND's, or 98 the VM could not be made, 99 the kernel log
holds a fault or the module did not unload, 124 the time was up
END
}

suite=bookworm debug='' clock='' cpus='' memory='' writable='' limit=600
while getopts s:dic:m:w:t:h option; do
	case $option in
	s) suite=$OPTARG ;;
	d) debug=yes ;;
	i) clock=yes ;;
	c) cpus=$OPTARG ;;
	m) memory=$OPTARG ;;
	w) writable=$(cd "$OPTARG" && pwd -P) ;;
	t) limit=$OPTARG ;;
	h) usage; exit ;;
	*) usage >&2; exit 98 ;;
	esac
done
shift $((OPTIND - 1))
(($#)) || { usage >&2; exit 98; }
[[ $debug ]] && : "${memory:=1536}"
: "${memory:=1024}" "${cpus:=${clock:+1}}"
: "${cpus:=2}"

built=$("$vm_dir/build.sh" "$suite" ${debug:+debug}) || exit 98
root=$(<"$built/root")
kernel=$(<"$built/kernel")

run=$(mktemp -d "${TMPDIR:-/tmp}/teredo-vm.XXXXXX")
trap 'rm -rf "$run"' EXIT
mkdir "$run/share"
declare -p debug clock writable >"$run/share/settings"
echo "repository=${repo@Q}" >>"$run/share/settings"
{
	[[ $debug ]] && echo 'export KSFT_MACHINE_SLOW=yes'
	echo 'export TEREDO_VM=yes'
	echo "exec ${*@Q}"
} >"$run/share/command"
chmod -R a+rX "$run"
cat "$root/initrd" "$built/initramfs.cpio" >"$run/initrd"

# Whether a faster accelerator works cannot be told from its device file,
# which may open and then hang: so software, which works everywhere.
qemu=(qemu-system-x86_64 -nodefaults -no-user-config -no-reboot
	-display none -nic none -m "$memory" -smp "$cpus"
	-kernel "$kernel/vmlinuz" -initrd "$run/initrd"
	-drive "if=virtio,format=raw,readonly=on,file=$root/root.img"
	-serial "file:$run/console" -monitor none -device virtio-serial
	-fsdev "local,id=repository,path=$repo,readonly=on,multidevs=remap,security_model=none"
	-device virtio-9p-pci,fsdev=repository,mount_tag=repository
	-fsdev "local,id=share,path=$run/share,readonly=on,multidevs=remap,security_model=none"
	-device virtio-9p-pci,fsdev=share,mount_tag=share)
if [[ $clock ]]; then
	qemu+=(-accel tcg,thread=single -icount "shift=0,sleep=off"
		-cpu "max,erms=off,fsrm=off")
else
	qemu+=(-accel tcg,thread=multi -cpu max)
fi
[[ $writable ]] && qemu+=(
	-fsdev "local,id=writable,path=$writable,multidevs=remap,security_model=none"
	-device virtio-9p-pci,fsdev=writable,mount_tag=writable)
for port in out err log status; do
	qemu+=(-chardev "file,id=$port,path=$run/$port"
		-device "virtserialport,chardev=$port,name=$port")
done
qemu+=(-append "console=ttyS0 quiet loglevel=5 panic=-1 log_buf_len=16M \
printk.devkmsg=on nowatchdog mitigations=off random.trust_cpu=on \
reboot=t VM_ROOT=/dev/vda ${debug:+acpi=off VM_BUILTIN=yes}")

# Output passes live, through pipes: QEMU would truncate a file.
mkfifo "$run/out" "$run/err"
cat "$run/out" &
cat "$run/err" >&2 &
exec {hold_out}<>"$run/out" {hold_err}<>"$run/err"
touch "$run/log" "$run/status" "$run/console"

status=0
timeout --foreground -k 5 "$limit" "${qemu[@]}" </dev/null >"$run/qemu" 2>&1 \
	9>&- || status=$?
exec {hold_out}>&- {hold_err}>&-
wait

tail_of_console()
{
	say "the console's last lines:"
	tail -n 40 "$run/console" | sed 's/\r$//; s/^/  /' >&2
}

if ((status == 124 || status == 137)); then
	say "time is up: the command did not end within $limit s"
	tail_of_console
	exit 124
fi
read -r result unloaded <"$run/status" || true
if [[ ! ${result:-} ]]; then
	cat "$run/qemu" >&2
	say "the VM died"
	tail_of_console
	exit 99
fi

# Every fault that the kernel reports from the command's start on
faults='WARNING:|BUG:|BUG [^ ]+ \(|Oops|general protection|refcount_t:'
faults+='|INFO: task|unreferenced object|possible circular locking'
faults+='|inconsistent lock state|suspicious RCU usage|KASAN|UBSAN|ODEBUG'
faults+='|possible recursive locking|[0-9]+ new suspected memory leaks'
sed -n '/teredo-vm: the command starts/,$p' "$run/log" >"$run/log.command"
if grep -qE "^\[[^]]*\] .*($faults)" "$run/log.command"; then
	say "the kernel log holds a fault:"
	grep -E -m 1 -B 5 -A 60 "^\[[^]]*\] .*($faults)" "$run/log.command" |
		sed 's/^/  /' >&2
	say "in all:"
	grep -E "^\[[^]]*\] .*($faults)" "$run/log.command" | sort | uniq -c |
		sed 's/^/  /' >&2
	result=99
fi
if [[ $unloaded != yes ]]; then
	say "the module did not unload"
	tail_of_console
	result=99
fi
exit "$result"
