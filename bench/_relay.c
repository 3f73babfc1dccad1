/* Runs a command and copies bytes between it and its own standard streams: relay COMMAND... */
#include <poll.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static char buffer[256 << 10];

/* Copies what can be read now; 0 when there is no more, or nobody reads it. */
static int copy(int from, int to) {
    ssize_t size = read(from, buffer, sizeof buffer);
    for (ssize_t at = 0, wrote; at < size; at += wrote)
        if ((wrote = write(to, buffer + at, size - at)) < 0) return 0;
    return size > 0;
}

int main(int count, char **words) {
    int in[2], out[2], status;
    if (count < 2 || pipe(in) || pipe(out)) return 2;
    pid_t child = fork();
    if (child < 0) return 2;
    if (!child) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[0]), close(in[1]), close(out[0]), close(out[1]);
        execvp(words[1], words + 1);
        perror(words[1]);
        _exit(127);
    }
    close(in[0]), close(out[1]);
    struct pollfd ends[] = {{.fd = 0, .events = POLLIN}, {.fd = out[0], .events = POLLIN}};
    for (;;) {
        if (poll(ends, 2, -1) < 0) continue;
        if (ends[1].revents && !copy(out[0], 1)) break;
        if (ends[0].revents && !copy(0, in[1])) close(in[1]), ends[0].fd = -1;
    }
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
