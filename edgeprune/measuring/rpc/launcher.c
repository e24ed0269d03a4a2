/*
 * Runs programs on behalf of a stock TVM RPC server, which loads this library into its session's process and calls the
 * functions exported at the end (TVM FFI's C calling convention, tvm/ffi/c_api.h).
 *
 * A program is a process of its own, so that one that crashes does not take the server with it: a session's process
 * that dies is the end of the whole server. A guardian outlives the session, however that ends; it kills the program,
 * removes the session's directory, and with it goes the board's lock.
 *
 * Every function returns a number: what it says, or a negative errno.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define EXPORT __attribute__((visibility("default")))
#define MOST_WORDS 256
#define MOST_DESCRIPTORS 4096

/* ---- arguments and results as TVM passes them ---- */

typedef struct {
    int32_t type_index;
    uint32_t small_length;
    union {
        int64_t number;
        const char *text;
        const void *object;
        char bytes[8];
    } value;
} Any;

enum { TYPE_INT = 1, TYPE_RAW_STRING = 8, TYPE_SMALL_STRING = 11, TYPE_STRING = 65 };

/* A string object: a header of 24 bytes, then pointer and length. */
typedef struct {
    char header[24];
    const char *data;
    size_t length;
} StringObject;

static int read_text(const Any *any, char *text, size_t room) {
    const char *from = NULL;
    size_t length = 0;
    if (any->type_index == TYPE_RAW_STRING) {
        from = any->value.text;
        length = strlen(from);
    } else if (any->type_index == TYPE_SMALL_STRING) {
        from = any->value.bytes;
        length = any->small_length;
    } else if (any->type_index == TYPE_STRING) {
        from = ((const StringObject *)any->value.object)->data;
        length = ((const StringObject *)any->value.object)->length;
    }
    if (!from || length >= room) return 0;
    memcpy(text, from, length);
    text[length] = '\0';
    return 1;
}

static int answer(Any *result, int64_t number) {
    memset(result, 0, sizeof *result);
    result->type_index = TYPE_INT;
    result->value.number = number;
    return 0;
}

/* ---- what a session holds ---- */

static char directory[3072];
static int lock = -1, alive = -1;
static pid_t program;
static int *volatile running; /* shared with the guardian: the program's process group, 0 when there is none */

static int in_directory(const char *name, char *path, size_t room) {
    int length = snprintf(path, room, "%s/%s", directory, name);
    return length > 0 && (size_t)length < room;
}

static int open_new(const char *name) {
    char path[4096];
    if (!in_directory(name, path, sizeof path)) return -1;
    unlink(path);
    return open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

/* ---- the guardian ---- */

static void close_all_but(int first, int second) {
    for (int descriptor = 0; descriptor < MOST_DESCRIPTORS; descriptor++)
        if (descriptor != first && descriptor != second) close(descriptor);
}

struct entry {
    uint64_t inode;
    int64_t offset;
    unsigned short length;
    unsigned char type;
    char name[];
};

/* Between fork() and exec() of a process with threads nothing may be allocated, so that opendir() is out. */
static void remove_directory(void) {
    static char entries[8192] __attribute__((aligned(8)));
    int opened = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    long got;
    if (opened < 0) return;
    while ((got = syscall(SYS_getdents64, opened, entries, sizeof entries)) > 0)
        for (long at = 0; at < got;) {
            const struct entry *found = (const struct entry *)(const void *)(entries + at);
            unlinkat(opened, found->name, 0);
            at += found->length;
        }
    close(opened);
    rmdir(directory);
}

static void guard(int session) {
    char nothing;
    setsid();
    for (int number = 1; number < 32; number++) signal(number, SIG_IGN);
    close_all_but(session, lock);
    while (read(session, &nothing, 1) < 0 && errno == EINTR) continue;
    if (*running > 0) kill(-*running, SIGKILL);
    remove_directory();
    _exit(0);
}

static int start_guardian(void) {
    int ends[2];
    pid_t child;
    running = mmap(NULL, sizeof *running, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (running == MAP_FAILED || pipe2(ends, O_CLOEXEC) != 0) return -errno;
    child = fork();
    if (child < 0) return -errno;
    if (child == 0) guard(ends[0]);
    close(ends[0]); /* the other end closes when this process ends */
    return 0;
}

/* ---- the board's lock: the same file that users of a shell on the board take ---- */

static const char *lock_directory(char *path, size_t room) {
    const char *given = getenv("EDGEPRUNE_LOCK_DIRECTORY"), *usual = access("/tmp", W_OK) == 0 ? "/tmp" : "/data/local/tmp";
    snprintf(path, room, "%s/edgeprune-lock", given && *given ? given : usual);
    return path;
}

static int open_lock(const char *place) {
    char path[4096];
    mode_t mask = umask(0);
    mkdir(place, 0777);
    snprintf(path, sizeof path, "%s/lock", place);
    lock = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    umask(mask);
    if (lock >= 0) close(lock);
    lock = open(path, O_RDONLY | O_CLOEXEC);
    return lock >= 0 ? 0 : -errno;
}

static void sign(const char *place, const char *who) {
    char path[4096];
    int owner;
    snprintf(path, sizeof path, "%s/owner", place);
    unlink(path);
    if ((owner = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644)) < 0) return;
    dprintf(owner, "%s\n", who);
    close(owner);
}

/* Tells the user, in the file `board`, which machine this is and who holds it. */
static int describe(const char *place) {
    char path[4096], owner[256] = "";
    struct utsname machine;
    int file, read_from, written;
    snprintf(path, sizeof path, "%s/owner", place);
    if ((read_from = open(path, O_RDONLY | O_CLOEXEC)) >= 0) {
        ssize_t got = read(read_from, owner, sizeof owner - 1);
        owner[got > 0 ? got : 0] = '\0';
        close(read_from);
    }
    uname(&machine);
    if ((file = open_new("board")) < 0) return -errno;
    written = dprintf(file, "%s\n%s", machine.machine, owner);
    close(file);
    return written > 0 ? 0 : -errno;
}

/* ---- one program at a time ---- */

static char request[65536];
static char *words[MOST_WORDS + 1];

/* The file `request` holds the program and its arguments, each with a zero byte behind it. */
static int read_request(void) {
    char path[4096];
    ssize_t got;
    int file, count = 0;
    if (!in_directory("request", path, sizeof path)) return -ENAMETOOLONG;
    if ((file = open(path, O_RDONLY | O_CLOEXEC)) < 0) return -errno;
    got = read(file, request, sizeof request);
    close(file);
    if (got < 0) return -errno;
    if ((size_t)got == sizeof request) return -E2BIG;
    if (got == 0 || request[got - 1] != '\0') return -ENOSPC; /* the server does not notice that it could not write */
    for (char *at = request; at < request + got; at += strlen(at) + 1) {
        if (count == MOST_WORDS) return -E2BIG;
        words[count++] = at;
    }
    words[count] = NULL;
    return 0;
}

static void become(int output, int errors, int complain, int keep_alive, pid_t session) {
    int null = open("/dev/null", O_RDONLY), error;
    setsid();
    /* The kernel kills the program when the session's process dies, even without a guardian. */
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != session) _exit(127);
    for (int number = 1; number < 32; number++) signal(number, SIG_DFL);
    dup2(null, 0);
    dup2(output, 1);
    dup2(errors, 2);
    fcntl(keep_alive, F_SETFD, 0); /* stays open in the program: its end shows at the other end */
    if (chdir(directory) == 0) {
        /* execvp() would hand a program for another CPU to the shell, as if it were a script. */
        if (strchr(words[0], '/')) execve(words[0], words, environ);
        else execvp(words[0], words);
    }
    error = errno;
    (void)!write(complain, &error, sizeof error);
    _exit(127);
}

static int start_program(void) {
    int complaint[2], life[2], output = open_new("output"), errors = open_new("errors"), error = 0;
    pid_t session = getpid();
    if (output < 0 || errors < 0 || pipe2(complaint, O_CLOEXEC) != 0 || pipe2(life, O_CLOEXEC) != 0) return -errno;
    program = fork();
    if (program < 0) return -errno;
    if (program == 0) become(output, errors, complaint[1], life[1], session);
    *running = program;
    close(output), close(errors), close(complaint[1]), close(life[1]);
    alive = life[0];
    if (read(complaint[0], &error, sizeof error) != sizeof error) error = 0;
    close(complaint[0]);
    return -error;
}

/* 0 to 255: its exit code; 256 and more: 256 and the signal that ended it. */
static int reap(void) {
    int status;
    while (waitpid(program, &status, 0) < 0)
        if (errno != EINTR) return -errno;
    *running = 0;
    program = 0;
    close(alive);
    return WIFSIGNALED(status) ? 256 + WTERMSIG(status) : WEXITSTATUS(status);
}

/* ---- what the user calls ---- */

/* hold(directory, who, lock or not): 0 held, 1 somebody else holds the board; `board` says who. Call it until 0. */
EXPORT int __tvm_ffi_edgeprune_hold(void *self, const Any *given, int32_t count, Any *result) {
    char who[256], place[2048];
    int status = 0;
    (void)self;
    if (count != 3 || !read_text(&given[0], directory, sizeof directory) || !read_text(&given[1], who, sizeof who))
        return answer(result, -EINVAL);
    lock_directory(place, sizeof place);
    if (given[2].value.number && lock < 0 && (status = open_lock(place)) != 0) return answer(result, status);
    if (!running && (status = start_guardian()) != 0) return answer(result, status);
    if (given[2].value.number && flock(lock, LOCK_EX | LOCK_NB) != 0) status = 1;
    if (status == 0 && given[2].value.number) sign(place, who);
    return answer(result, describe(place) != 0 ? -errno : status);
}

/* settle(path, mode, size): set the permissions of a file and return its size; one cut short makes room again. */
EXPORT int __tvm_ffi_edgeprune_settle(void *self, const Any *given, int32_t count, Any *result) {
    char path[4096];
    struct stat found;
    (void)self;
    if (count != 3 || !read_text(&given[0], path, sizeof path)) return answer(result, -EINVAL);
    if (chmod(path, (mode_t)given[1].value.number) != 0 || stat(path, &found) != 0) return answer(result, -errno);
    if (found.st_size != given[2].value.number) unlink(path);
    return answer(result, found.st_size);
}

/* start(): run what `request` says; 0 once it runs. */
EXPORT int __tvm_ffi_edgeprune_start(void *self, const Any *given, int32_t count, Any *result) {
    int status;
    (void)self, (void)given;
    if (count != 0 || !running || program) return answer(result, -EINVAL);
    if ((status = read_request()) != 0) return answer(result, status);
    if ((status = start_program()) != 0 && program > 0) reap();
    return answer(result, status);
}

/* wait(milliseconds): how the program ended, or -EAGAIN while it runs. */
EXPORT int __tvm_ffi_edgeprune_wait(void *self, const Any *given, int32_t count, Any *result) {
    struct pollfd end = {alive, POLLIN, 0};
    (void)self;
    if (count != 1 || !program) return answer(result, -EINVAL);
    return answer(result, poll(&end, 1, (int)given[0].value.number) > 0 ? reap() : -EAGAIN);
}

/* stop(): kill the program. */
EXPORT int __tvm_ffi_edgeprune_stop(void *self, const Any *given, int32_t count, Any *result) {
    (void)self, (void)given, (void)count;
    if (!program) return answer(result, 0);
    kill(-program, SIGKILL);
    kill(program, SIGKILL);
    reap();
    return answer(result, 0);
}
