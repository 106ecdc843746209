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
usage: vm.sh [-s SUITE] [-d] [-i] [-c CPUS] [-m MIB] [-k ARGS] [-w DIR]
             [-t SECONDS] -- COMMAND...

Runs COMMAND as root in a VM with the kernel and programs of a Debian suite,
in this repository's folder, and returns its output and exit status.

  -s SUITE    the suite, default bookworm
  -d          a kernel with KASAN, lockdep, kmemleak and the like
  -i          a clock that counts instructions: one figure, twice the same
  -c CPUS     default 2, with -i always 1
  -m MIB      memory, default 1024 (1536 with -d)
  -k ARGS     more words for the kernel's command line
  -w DIR      DIR is writable in the VM, at its own path
  -t SECONDS  ends a command that hangs, wall time, default 600

exit status: COMMAND's, or 98 the VM could not be made, 99 the kernel log
holds a fault or the module did not unload, 124 the time was up
END
}

# Every fault that the kernel reports from the command's start on
faults='WARNING:|BUG:|BUG [^ ]+ \(|kernel BUG at|Oops|invalid opcode'
faults+='|general protection|refcount_t:'
faults+='|INFO: task|unreferenced object|possible circular locking'
faults+='|possible recursive locking|inconsistent lock state'
faults+='|suspicious RCU usage|KASAN|UBSAN|ODEBUG'
faults+='|[0-9]+ new suspected memory leaks'

# without_own_faults LOG: all but what the debug kernel says of itself, which no
# test can help: nf_tables walks lists under a mutex that it does not name
without_own_faults()
{
	sed -E '/WARNING: suspicious RCU usage/ {
		N; N; N
		/net\/netfilter\/nf_tables_api\.c:/d
	}' "$1"
}

# What the VM's first program is to do
write_share()
{
	mkdir "$run/share"
	declare -p debug clock writable >"$run/share/settings"
	echo "repository=${repo@Q}" >>"$run/share/settings"
	{
		[[ $debug ]] && echo 'export KSFT_MACHINE_SLOW=yes'
		[[ $clock ]] && echo 'export TEREDO_VM_CLOCK=yes'
		echo 'export TEREDO_VM=yes'
		echo "exec ${*@Q}"
	} >"$run/share/command"
	chmod -R a+rX "$run/share"
}

# device NAME OPTIONS: a virtio device, on whatever bus the machine has
device()
{
	qemu+=(-device "virtio-$1-$bus${2:+,$2}")
}

# share TAG PATH [readonly=on]: a folder of the host
share()
{
	local options="local,id=$1,path=${2//,/,,},multidevs=remap"

	qemu+=(-fsdev "$options,security_model=none${3:+,$3}")
	device 9p "fsdev=$1,mount_tag=$1"
}

# Whether a faster accelerator works cannot be told from its device file,
# which may open and then hang: so software, which works everywhere. Before
# version 8 its CMPXCHG16B leaves flags that are the remains of another
# instruction. The kernel's allocator uses it, may save flags next, and once in
# some billions of instructions the wrong bits are among them: a double fault.
machine()
{
	local cpu=max,cx16=off
	local image=$root/root.img append=(console=ttyS0 quiet loglevel=5
		panic=-1 reboot=t log_buf_len=16M printk.devkmsg=on
		no_timer_check nowatchdog mitigations=off random.trust_cpu=on) port

	qemu=(qemu-system-x86_64 -nodefaults -no-user-config -no-reboot
		-display none -monitor none -nic none -smp "$cpus"
		-kernel "$kernel/vmlinuz" -initrd "$run/initrd"
		-serial "file:$run/console")
	bus=pci
	if [[ $clock ]]; then
		# The root is memory: a disk would make the VM wait, and
		# while it waits the clock leaps.
		# And nothing is left to chance.
		qemu+=(-accel "tcg,thread=single" -icount "shift=0,sleep=off"
			-cpu "$cpu,erms=off,fsrm=off" -machine "pc,nvdimm=on"
			-seed 1 -rtc "base=2026-01-01,clock=vm"
			-m "$memory,slots=1,maxmem=$((memory + 8192))M"
			-object "memory-backend-file,id=root,share=on,readonly=on,mem-path=$image,size=$(stat -Lc %s "$image")"
			-device "nvdimm,memdev=root,unarmed=on")
		append+=(VM_ROOT=/dev/pmem0 nokaslr tsc_early_khz=1000000)
	else
		qemu+=(-accel "tcg,thread=multi" -cpu "$cpu" -m "$memory")
		if [[ $debug ]]; then
			qemu+=(-machine "microvm,acpi=off,rtc=on")
			bus=device
			append+=(VM_BUILTIN=yes)
		fi
		qemu+=(-drive "id=root,if=none,format=raw,readonly=on,file=$image")
		device blk drive=root
		append+=(VM_ROOT=/dev/vda)
	fi
	share repository "$repo" readonly=on
	share share "$run/share" readonly=on
	[[ $writable ]] && share writable "$writable"
	device serial
	for port in out err log status; do
		qemu+=(-chardev "file,id=$port,path=$run/$port"
			-device "virtserialport,chardev=$port,name=$port")
	done
	qemu+=(-append "${append[*]}${arguments:+ $arguments}")
}

# Output passes live, through pipes: QEMU would truncate a file.
boot()
{
	local status=0 vm

	mkfifo "$run/out" "$run/err"
	cat "$run/out" &
	cat "$run/err" >&2 &
	exec {hold_out}<>"$run/out" {hold_err}<>"$run/err"
	touch "$run/log" "$run/status" "$run/console"
	timeout --foreground -k 5 "$limit" "${qemu[@]}" </dev/null \
		>"$run/qemu" 2>&1 &
	vm=$!
	# who ends us ends the VM
	trap 'kill "$vm"; exit 143' TERM INT HUP
	wait "$vm" || status=$?
	trap - TERM INT HUP
	exec {hold_out}>&- {hold_err}>&-
	wait
	return "$status"
}

# From the kernel's first complaint on, if there is one
tail_of_console()
{
	local pattern='Kernel panic|WARNING:|BUG:|kernel BUG at|Oops|sysrq: Trigger'

	mkdir -p "$repo/build"
	cp "$run/console" "$repo/build/console"
	say "the console's last lines (all of them are in build/console):"
	if grep -qE "$pattern" "$run/console"; then
		grep -E -B 20 -A 100 -m 1 "$pattern" "$run/console"
	else
		tail -n 40 "$run/console"
	fi | sed 's/\r$//; s/^/  /' >&2
}

# judge STATUS_OF_QEMU: sets result
judge()
{
	local unloaded='' pattern="^\[[^]]*\] .*($faults)"

	if (($1 == 124 || $1 == 137)); then
		say "time is up: the command did not end within $limit s"
		tail_of_console
		result=124
		return
	fi
	read -r result unloaded <"$run/status" || true
	if [[ ! $result ]]; then
		cat "$run/qemu" >&2
		say "the VM died"
		tail_of_console
		result=99
		return
	fi
	sed -n '/teredo-vm: the command starts/,$p' "$run/log" >"$run/said"
	without_own_faults "$run/said" >"$run/faults"
	if grep -qE "$pattern" "$run/faults"; then
		say "the kernel log holds a fault:"
		grep -E -m 1 -B 5 -A 60 "$pattern" "$run/faults" |
			sed 's/^/  /' >&2
		say "in all:"
		grep -E "$pattern" "$run/faults" | sed 's/^\[[^]]*\]/ /' |
			sort | uniq -c >&2
		result=99
	fi
	if [[ $unloaded != yes ]]; then
		say "the module did not unload"
		tail_of_console
		result=99
	fi
}

# One function, so that bash has read it all before anybody edits this file.
main()
{
	local suite=bookworm debug='' clock='' cpus='' memory='' writable=''
	local arguments='' limit=600 option built root kernel run bus qemu result=''
	local status=0

	while getopts s:dic:m:k:w:t:h option; do
		case $option in
		s) suite=$OPTARG ;;
		d) debug=yes ;;
		i) clock=yes ;;
		c) cpus=$OPTARG ;;
		m) memory=$OPTARG ;;
		k) arguments=$OPTARG ;;
		w) writable=$(cd "$OPTARG" && pwd -P) || exit 98 ;;
		t) limit=$OPTARG ;;
		h) usage; exit ;;
		*) usage >&2; exit 98 ;;
		esac
	done
	shift $((OPTIND - 1))
	(($#)) || { usage >&2; exit 98; }
	[[ $debug && $clock ]] && die "-d and -i do not go together"
	[[ $clock ]] && cpus=1
	[[ $debug ]] && : "${memory:=1536}"
	: "${memory:=1024}" "${cpus:=2}"

	built=$("$vm_dir/build.sh" "$suite" ${debug:+debug}) || exit 98
	root=$(<"$built/root")
	kernel=$(<"$built/kernel")

	run=$(mktemp -d "${TMPDIR:-/tmp}/teredo-vm.XXXXXX")
	# shellcheck disable=SC2064	# now, while it is known
	trap "rm -rf '$run'" EXIT
	write_share "$@"
	cat "$root/initrd" "$built/initramfs.cpio" >"$run/initrd"
	machine
	boot || status=$?
	judge "$status"
	exit "$result"
}

main "$@"
