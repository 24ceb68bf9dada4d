// The sensor's kernel side. Each program is loaded on its own, so that a
// kernel that refuses one still runs the others.
#include "kernel.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "shapes.h"

#include "sip.h"

#include "ident.h"

#include "rules.h"

#include "fork.h"

#include "exec.h"

#include "cgroup.h"

#include "net.h"

#include "lsm.h"

// Some helpers are only for programs under the GPL; this file is under both.
char terms[] SEC("license") = "Dual MIT/GPL";
