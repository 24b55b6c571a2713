/*
 * clock-shim CONTROL PROGRAM ARGS...
 *
 * Runs a program whose clocks go as a file says: "RATE AHEAD_MS", read again now and then. Programs ask the vDSO for the
 * time, without a system call: it is hidden from the program when it starts, and its system calls are answered here.
 * When this process is killed the program is, too; it passes SIGTERM on.
 */
#define _GNU_SOURCE
#include <elf.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *control;
static pid_t program;
/* Since when the clocks go at this rate, by the real ones, and what they showed then. */
static double rate = 1, ahead_ms = 0, real_since, shown_since;
static double read_at = -1;

static double now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1e3 + t.tv_nsec / 1e6;
}

/* How much the program's clocks are ahead of the real ones. */
static double lead_ms(void) {
  double real = now_ms();
  if (read_at < 0) real_since = shown_since = real;
  if (real - read_at > 20) {
    double new_rate = rate, new_ahead = ahead_ms;
    FILE *file = fopen(control, "r");
    if (file) {
      if (fscanf(file, "%lf %lf", &new_rate, &new_ahead) != 2) new_rate = rate, new_ahead = ahead_ms;
      fclose(file);
    }
    shown_since += (real - real_since) * rate;
    real_since = real;
    rate = new_rate;
    ahead_ms = new_ahead;
    read_at = real;
  }
  return shown_since + (real - real_since) * rate + ahead_ms - real;
}

static void answer(pid_t thread) {
  struct user_regs_struct regs;
  if (ptrace(PTRACE_GETREGS, thread, 0, &regs) < 0) return;
  struct timespec t;
  if (syscall(SYS_clock_gettime, (clockid_t)regs.rdi, &t) < 0) return;
  long long ns = t.tv_sec * 1000000000LL + t.tv_nsec + (long long)(lead_ms() * 1e6);
  if (ns < 0) ns = 0;
  long words[2] = { ns / 1000000000LL, ns % 1000000000LL };
  for (int i = 0; i < 2; i++)
    if (ptrace(PTRACE_POKEDATA, thread, regs.rsi + 8 * i, words[i]) < 0) return;
  regs.orig_rax = -1; /* no system call */
  regs.rax = 0;
  ptrace(PTRACE_SETREGS, thread, 0, &regs);
}

/* Go looks for the vDSO in the auxiliary vector, which lies behind the environment on the first stack. */
static void hide_vdso(pid_t thread) {
  struct user_regs_struct regs;
  ptrace(PTRACE_GETREGS, thread, 0, &regs);
  unsigned long at = regs.rsp;
  long argc = ptrace(PTRACE_PEEKDATA, thread, at, 0);
  at += 8 * (argc + 2);
  while (ptrace(PTRACE_PEEKDATA, thread, at, 0) != 0) at += 8;
  at += 8;
  for (long type; (type = ptrace(PTRACE_PEEKDATA, thread, at, 0)) != AT_NULL; at += 16)
    if (type == AT_SYSINFO_EHDR) ptrace(PTRACE_POKEDATA, thread, at, AT_IGNORE);
}

static void pass_on(int number) {
  kill(program, number);
}

static void become(char **command) {
  struct sock_filter code[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clock_gettime, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog filter = { sizeof code / sizeof *code, code };
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  ptrace(PTRACE_TRACEME, 0, 0, 0);
  raise(SIGSTOP);
  if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) < 0) _exit(125);
  execvp(command[0], command);
  _exit(127);
}

int main(int argc, char **argv) {
  if (argc < 3) return 2;
  control = argv[1];
  program = fork();
  if (program == 0) become(argv + 2);
  int status;
  waitpid(program, &status, 0);
  ptrace(PTRACE_SETOPTIONS, program, 0,
         PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEFORK |
             PTRACE_O_TRACEVFORK | PTRACE_O_EXITKILL);
  signal(SIGTERM, pass_on);
  signal(SIGINT, pass_on);
  ptrace(PTRACE_CONT, program, 0, 0);
  for (;;) {
    pid_t thread = waitpid(-1, &status, __WALL);
    if (thread < 0 && errno == EINTR) continue;
    if (thread < 0) return 1;
    if (WIFEXITED(status) || WIFSIGNALED(status)) {
      if (thread != program) continue;
      return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    int event = status >> 16, number = WSTOPSIG(status), deliver = 0;
    if (event == PTRACE_EVENT_SECCOMP) answer(thread);
    else if (event == PTRACE_EVENT_EXEC) hide_vdso(thread);
    else if (event == 0 && number != SIGSTOP && number != SIGTRAP) deliver = number;
    ptrace(PTRACE_CONT, thread, 0, deliver);
  }
}
