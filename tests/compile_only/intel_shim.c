// A preload library that gives Mesa's ANV an Intel GPU which is not there: the render node, what sysfs says of it, and Linux's
// xe interface (drm.h, xe_drm.h) over it. Shaders compile to its machine code; what is submitted counts as done and is dropped.
// FOVEA_INTEL_GPU selects one of `gpus`. tests/drivers.sh builds and loads this: `tests/drivers.sh run anv:bmg -- PROGRAM`.
//
// The render node is one sparse memory file, in which each buffer object has a range of its own: to map an object is to map the
// file, and to know the node by any descriptor is to compare inodes. No call on memory or descriptors needs to be replaced.
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

// --- GPUs -----------------------------------------------------------------------------------------

struct gpu {
  const char* name;
  uint16_t device;       // PCI
  uint8_t revision;
  uint8_t ip_major, ip_minor;
  uint8_t cores;         // Xe cores, alias (dual) subslices
  uint8_t units;         // vector engines of a core
  bool simd16;           // of 16 lanes each, not 8
  uint32_t clock;        // of timestamps, Hz
  uint64_t vram;         // bytes; 0: integrated
};

static const struct gpu gpus[] = {
    {"tgl", 0x9a49, 1, 12, 0, 6, 16, false, 19200000, 0},            // Tiger Lake, Iris Xe
    {"dg2", 0x56a0, 8, 12, 55, 32, 16, false, 19200000, 16ull << 30},  // Alchemist, Arc A770
    {"mtl", 0x7d55, 8, 12, 71, 8, 16, false, 38400000, 0},           // Meteor Lake, Arc Graphics
    {"lnl", 0x64a0, 4, 20, 4, 8, 8, true, 19200000, 0},              // Lunar Lake, Arc 140V
    {"bmg", 0xe20b, 0, 20, 1, 20, 8, true, 19200000, 12ull << 30},   // Battlemage, Arc B580
};

static const struct gpu* gpu;
static int node = -1;                      // the memory file
static struct stat node_status;            // its own
static const off_t node_bytes = 1l << 45;  // sparse: what is never written takes nothing
static const uint64_t system_bytes = 16ull << 30;

enum { major_number = 226, minor_number = 128, first_gt = 0 };
static const char render_node[] = "/dev/dri/renderD128";
static const char on_bus[] = "/sys/devices/pci0000:00/0000:00:02.0";

__attribute__((constructor)) static void start(void) {
  const char* name = getenv("FOVEA_INTEL_GPU");
  for (size_t i = 0; i < sizeof gpus / sizeof *gpus; ++i)
    if (name && !strcmp(name, gpus[i].name)) gpu = &gpus[i];
  if (!gpu) {
    fprintf(stderr, "intel_shim: FOVEA_INTEL_GPU is '%s', which is none of", name ? name : "");
    for (size_t i = 0; i < sizeof gpus / sizeof *gpus; ++i) fprintf(stderr, " %s", gpus[i].name);
    fputc('\n', stderr);
    _exit(2);
  }
  node = memfd_create("intel_shim", MFD_CLOEXEC);
  if (node < 0 || ftruncate(node, node_bytes) || syscall(SYS_fstat, node, &node_status)) {
    perror("intel_shim: a memory file");
    _exit(2);
  }
}

// --- Files ----------------------------------------------------------------------------------------

static void* next(const char* name) { return dlsym(RTLD_NEXT, name); }

static bool is_node(int fd) {
  struct stat status;
  return node >= 0 && !syscall(SYS_fstat, fd, &status) && status.st_dev == node_status.st_dev &&
         status.st_ino == node_status.st_ino;
}

// "vendor" of "/sys/dev/char/226:128/device/vendor"; null: not a path of the device.
static const char* attribute(const char* path) {
  static const char* const roots[] = {"/sys/dev/char/226:128/device", on_bus};
  for (size_t i = 0; i < 2; ++i) {
    const size_t length = strlen(roots[i]);
    if (strncmp(path, roots[i], length)) continue;
    if (path[length] == '\0') return "";
    if (path[length] == '/') return path + length + 1;
  }
  return NULL;
}

// What a file of sysfs holds; false: there is none of the name.
static bool read_attribute(const char* name, char text[static 128]) {
  const struct {
    const char* name;
    unsigned value;
  } numbers[] = {{"vendor", 0x8086}, {"device", gpu->device}, {"subsystem_vendor", 0x8086}, {"subsystem_device", 0}, {"revision", gpu->revision}};
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; ++i)
    if (!strcmp(name, numbers[i].name)) return snprintf(text, 128, i < 4 ? "0x%04x\n" : "0x%02x\n", numbers[i].value) > 0;
  if (strcmp(name, "uevent")) return false;
  return snprintf(text, 128, "DRIVER=xe\nPCI_ID=8086:%04X\nPCI_SUBSYS_ID=8086:0000\nPCI_SLOT_NAME=0000:00:02.0\n", gpu->device) > 0;
}

static void make_device(struct stat* status) {
  status->st_mode = S_IFCHR | 0666;
  status->st_rdev = makedev(major_number, minor_number);
  status->st_size = 0;
}

static int look(const char* path, struct stat* status) {
  if (!strcmp(path, render_node)) {
    *status = node_status;
    make_device(status);
    return 0;
  }
  const char* name = attribute(path);
  char text[128];
  if (!name) return (int)syscall(SYS_newfstatat, AT_FDCWD, path, status, 0);
  const bool file = read_attribute(name, text);
  if (!file && strcmp(name, "") && strcmp(name, "drm")) {
    errno = ENOENT;
    return -1;
  }
  memset(status, 0, sizeof *status);
  status->st_mode = file ? S_IFREG | 0444 : S_IFDIR | 0555;
  return 0;
}

static int look_at(int fd, struct stat* status) {
  const int result = (int)syscall(SYS_fstat, fd, status);
  if (!result && status->st_dev == node_status.st_dev && status->st_ino == node_status.st_ino) make_device(status);
  return result;
}

// With 64-bit offsets a stat64 is a stat.
_Static_assert(sizeof(struct stat) == sizeof(struct stat64), "x86-64");
int stat(const char* path, struct stat* status) { return look(path, status); }
int stat64(const char* path, struct stat64* status) { return look(path, (struct stat*)status); }
int fstat(int fd, struct stat* status) { return look_at(fd, status); }
int fstat64(int fd, struct stat64* status) { return look_at(fd, (struct stat*)status); }

int access(const char* path, int mode) {
  struct stat status;
  if (!strcmp(path, render_node) || attribute(path)) return look(path, &status);
  return (int)syscall(SYS_faccessat, AT_FDCWD, path, mode);
}

static int open_path(int folder, const char* path, int flags, mode_t mode) {
  if (strcmp(path, render_node)) return (int)syscall(SYS_openat, folder, path, flags, mode);
  char own[32];  // an open file of its own, as of a device
  snprintf(own, sizeof own, "/proc/self/fd/%d", node);
  return (int)syscall(SYS_openat, AT_FDCWD, own, O_RDWR | (flags & O_CLOEXEC));
}

#define OPEN(name, parameters, folder)                                        \
  int name parameters {                                                       \
    mode_t mode = 0;                                                          \
    if ((flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE) {              \
      va_list rest;                                                           \
      va_start(rest, flags);                                                  \
      mode = va_arg(rest, mode_t);                                            \
      va_end(rest);                                                           \
    }                                                                         \
    return open_path(folder, path, flags, mode);                              \
  }
OPEN(open, (const char* path, int flags, ...), AT_FDCWD)
OPEN(open64, (const char* path, int flags, ...), AT_FDCWD)
OPEN(openat, (int folder, const char* path, int flags, ...), folder)
OPEN(openat64, (int folder, const char* path, int flags, ...), folder)

static FILE* open_stream(const char* real, const char* path, const char* mode) {
  const char* name = attribute(path);
  char text[128];
  if (!name) return ((FILE * (*)(const char*, const char*)) next(real))(path, mode);
  if (!read_attribute(name, text)) {
    errno = ENOENT;
    return NULL;
  }
  FILE* stream = fmemopen(NULL, sizeof text, "w+");
  if (!stream) return NULL;
  fputs(text, stream);
  rewind(stream);
  return stream;
}

FILE* fopen(const char* path, const char* mode) { return open_stream("fopen", path, mode); }
FILE* fopen64(const char* path, const char* mode) { return open_stream("fopen64", path, mode); }

ssize_t readlink(const char* restrict path, char* restrict text, size_t size) {
  const char* name = attribute(path);
  if (!name) return syscall(SYS_readlinkat, AT_FDCWD, path, text, size);
  const char* target = !strcmp(name, "") ? on_bus : !strcmp(name, "subsystem") ? "../../../bus/pci" : !strcmp(name, "driver") ? "../../../bus/pci/drivers/xe" : NULL;
  if (!target) {
    errno = EINVAL;
    return -1;
  }
  const size_t length = strlen(target) < size ? strlen(target) : size;
  memcpy(text, target, length);
  return (ssize_t)length;
}

static char* resolve(const char* path, char* resolved) {
  const char* name = attribute(path);
  if (!name && strcmp(path, render_node)) return ((char* (*)(const char*, char*))next("realpath"))(path, resolved);
  if (!resolved) resolved = malloc(PATH_MAX);
  if (resolved) snprintf(resolved, PATH_MAX, "%s%s%s", name ? on_bus : path, name && *name ? "/" : "", name ? name : "");
  return resolved;
}

char* realpath(const char* restrict path, char* restrict resolved) { return resolve(path, resolved); }
char* __realpath_chk(const char* path, char* resolved, size_t size);
char* __realpath_chk(const char* path, char* resolved, size_t size) {
  (void)size;
  return resolve(path, resolved);
}

// A listing of /dev/dri: the render node alone.
static struct listing {
  bool open;
  int read;
  struct dirent entry;
} listings[8];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static struct listing* listing_of(DIR* folder) {
  const uintptr_t at = (uintptr_t)folder, begin = (uintptr_t)listings;
  return at >= begin && at < begin + sizeof listings ? (struct listing*)folder : NULL;
}

DIR* opendir(const char* path) {
  if (strcmp(path, "/dev/dri")) return ((DIR * (*)(const char*)) next("opendir"))(path);
  struct listing* free = NULL;
  pthread_mutex_lock(&lock);
  for (size_t i = 0; i < 8 && !free; ++i)
    if (!listings[i].open) free = &listings[i];
  if (free) *free = (struct listing){.open = true};
  pthread_mutex_unlock(&lock);
  if (!free) errno = EMFILE;
  return (DIR*)free;
}

static struct dirent* read_listing(struct listing* listing) {
  if (listing->read++) return NULL;
  listing->entry.d_type = DT_CHR;
  strcpy(listing->entry.d_name, strrchr(render_node, '/') + 1);
  return &listing->entry;
}

struct dirent* readdir(DIR* folder) {
  struct listing* listing = listing_of(folder);
  return listing ? read_listing(listing) : ((struct dirent * (*)(DIR*)) next("readdir"))(folder);
}

struct dirent64* readdir64(DIR* folder) {
  struct listing* listing = listing_of(folder);
  return listing ? (struct dirent64*)read_listing(listing) : ((struct dirent64 * (*)(DIR*)) next("readdir64"))(folder);
}

int closedir(DIR* folder) {
  struct listing* listing = listing_of(folder);
  if (!listing) return ((int (*)(DIR*))next("closedir"))(folder);
  listing->open = false;
  return 0;
}

// --- Buffer objects -------------------------------------------------------------------------------

// Ranges of the node's file, handed out once each and emptied when their object is closed.
static struct object {
  off_t offset, bytes;
}* objects;  // by handle; [0] is none
static uint32_t object_count = 1, object_room;
static off_t next_offset = 1 << 20;

static int create_object(uint64_t bytes, uint32_t* handle) {
  const off_t rounded = (off_t)((bytes + 65535) & ~UINT64_C(65535));
  if (bytes == 0 || rounded <= 0 || next_offset > node_bytes - rounded) return ENOMEM;
  if (object_count >= object_room) {
    object_room = object_room ? 2 * object_room : 1024;
    struct object* grown = realloc(objects, object_room * sizeof *objects);
    if (!grown) return ENOMEM;
    objects = grown;
  }
  objects[object_count] = (struct object){next_offset, rounded};
  next_offset += rounded;
  *handle = object_count++;
  return 0;
}

static struct object* object_of(uint32_t handle) {
  return handle > 0 && handle < object_count && objects[handle].bytes > 0 ? &objects[handle] : NULL;
}

static int close_object(uint32_t handle) {
  struct object* object = object_of(handle);
  if (!object) return EINVAL;
  const int failed = fallocate(node, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, object->offset, object->bytes);
  object->bytes = 0;
  return failed ? errno : 0;
}

// --- Synchronization objects ----------------------------------------------------------------------

// What a timeline has come to; a binary one is at 0 or more. Whatever is submitted is done at once.
static struct syncobj {
  bool live;
  uint64_t point;
}* syncobjs;
static uint32_t syncobj_count = 1, syncobj_room;
static pthread_cond_t signaled = PTHREAD_COND_INITIALIZER;  // one of them is

static struct syncobj* syncobj_of(uint32_t handle) {
  return handle > 0 && handle < syncobj_count && syncobjs[handle].live ? &syncobjs[handle] : NULL;
}

static int create_syncobj(bool done, uint32_t* handle) {
  uint32_t at = 1;
  while (at < syncobj_count && syncobjs[at].live) ++at;
  if (at >= syncobj_room) {
    syncobj_room = syncobj_room ? 2 * syncobj_room : 256;
    struct syncobj* grown = realloc(syncobjs, syncobj_room * sizeof *syncobjs);
    if (!grown) return ENOMEM;
    syncobjs = grown;
  }
  if (at == syncobj_count) ++syncobj_count;
  syncobjs[at] = (struct syncobj){true, done};
  *handle = at;
  return 0;
}

// Of a binary one the point is 0.
static int signal_syncobj(uint32_t handle, uint64_t point) {
  struct syncobj* syncobj = syncobj_of(handle);
  if (!syncobj) return ENOENT;
  if (point == 0) point = 1;
  if (syncobj->point < point) syncobj->point = point;
  pthread_cond_broadcast(&signaled);
  return 0;
}

// Until all of them are signalled, or one, or the monotonic clock is at `deadline`.
static int wait_syncobjs(const uint32_t* handles, const uint64_t* points, uint32_t count, bool all, int64_t deadline, uint32_t* first) {
  for (;;) {
    uint32_t done = 0;
    for (uint32_t i = count; i-- > 0;) {
      const struct syncobj* syncobj = syncobj_of(handles[i]);
      if (!syncobj) return ENOENT;
      if (syncobj->point < (points && points[i] ? points[i] : 1)) continue;
      ++done;
      *first = i;
    }
    if (done == count || (done > 0 && !all)) return 0;
    const struct timespec time = {deadline / 1000000000, deadline % 1000000000};
    if (deadline <= 0 || pthread_cond_clockwait(&signaled, &lock, CLOCK_MONOTONIC, &time)) return ETIME;
  }
}

// --- Calls on the node ----------------------------------------------------------------------------

static void* at(uint64_t address) { return (void*)(uintptr_t)address; }

struct drm_version {
  int major, minor, patch;
  size_t name_size;
  char* name;
  size_t date_size;
  char* date;
  size_t text_size;
  char* text;
};

static void tell(char* text, size_t* size, const char* value) {
  if (text && *size > 0) memcpy(text, value, *size < strlen(value) ? *size : strlen(value));
  *size = strlen(value);
}

static int version(void* argument) {
  struct drm_version* v = argument;
  v->major = 1, v->minor = 1, v->patch = 0;
  tell(v->name, &v->name_size, "xe");
  tell(v->date, &v->date_size, "20201103");
  tell(v->text, &v->text_size, "Intel Xe2 Graphics");
  return 0;
}

static int get_cap(void* argument) {
  struct {
    uint64_t capability, value;
  }* cap = argument;
  enum { syncobj = 0x13, syncobj_timeline = 0x14 };
  switch (cap->capability) {
    case syncobj:
    case syncobj_timeline: cap->value = 1; return 0;
    default: cap->value = 0; return EINVAL;
  }
}

static int syncobj_create(void* argument) {
  struct {
    uint32_t handle, flags;
  }* create = argument;
  return create_syncobj(create->flags & 1, &create->handle);
}

static int syncobj_destroy(void* argument) {
  struct syncobj* syncobj = syncobj_of(*(uint32_t*)argument);
  if (!syncobj) return EINVAL;
  syncobj->live = false;
  return 0;
}

static int syncobj_wait(void* argument) {
  struct {
    uint64_t handles;
    int64_t timeout;
    uint32_t count, flags, first, pad;
  }* wait = argument;
  return wait_syncobjs(at(wait->handles), NULL, wait->count, wait->flags & 1, wait->timeout, &wait->first);
}

static int syncobj_timeline_wait(void* argument) {
  struct {
    uint64_t handles, points;
    int64_t timeout;
    uint32_t count, flags, first, pad;
  }* wait = argument;
  return wait_syncobjs(at(wait->handles), at(wait->points), wait->count, wait->flags & 1, wait->timeout, &wait->first);
}

static int syncobj_each(void* argument, bool reset) {
  struct {
    uint64_t handles;
    uint32_t count, pad;
  }* array = argument;
  const uint32_t* handles = at(array->handles);
  for (uint32_t i = 0; i < array->count; ++i) {
    if (!syncobj_of(handles[i])) return ENOENT;
    if (reset)
      syncobj_of(handles[i])->point = 0;
    else
      signal_syncobj(handles[i], 0);
  }
  return 0;
}

static int syncobj_timeline_each(void* argument, bool query) {
  struct {
    uint64_t handles, points;
    uint32_t count, flags;
  }* array = argument;
  const uint32_t* handles = at(array->handles);
  uint64_t* points = at(array->points);
  for (uint32_t i = 0; i < array->count; ++i) {
    if (!syncobj_of(handles[i])) return ENOENT;
    if (query)
      points[i] = syncobj_of(handles[i])->point;
    else
      signal_syncobj(handles[i], points[i]);
  }
  return 0;
}

static int syncobj_transfer(void* argument) {
  struct {
    uint32_t from, to;
    uint64_t from_point, to_point;
    uint32_t flags, pad;
  }* transfer = argument;
  const struct syncobj* from = syncobj_of(transfer->from);
  if (!from || !syncobj_of(transfer->to)) return ENOENT;
  if (from->point < (transfer->from_point ? transfer->from_point : 1)) return EINVAL;
  return signal_syncobj(transfer->to, transfer->to_point);
}

// --- xe's own -------------------------------------------------------------------------------------

struct xe_engine_id {
  uint16_t class, instance, gt, pad;
};

// An answer under construction: DRM_XE_DEVICE_QUERY tells its size first, and itself when asked again.
struct answer {
  uint8_t bytes[2048];
  uint32_t size;
};

static void put(struct answer* answer, const void* value, uint32_t size) {
  memcpy(answer->bytes + answer->size, value, size);
  answer->size += size;
}
static void put16(struct answer* answer, uint16_t value) { put(answer, &value, sizeof value); }
static void put32(struct answer* answer, uint32_t value) { put(answer, &value, sizeof value); }
static void put64(struct answer* answer, uint64_t value) { put(answer, &value, sizeof value); }

static void engines(struct answer* answer) {
  static const uint16_t classes[] = {0, 1, 4};  // render, copy, compute
  const uint32_t count = gpu->ip_minor >= 55 || gpu->ip_major >= 20 ? 3 : 2;
  put32(answer, count);
  put32(answer, 0);
  for (uint32_t i = 0; i < count; ++i) {
    const struct xe_engine_id id = {.class = classes[i], .gt = first_gt};
    put(answer, &id, sizeof id);
    for (int reserved = 0; reserved < 3; ++reserved) put64(answer, 0);
  }
}

static void memory_region(struct answer* answer, uint16_t instance, uint64_t bytes) {
  put16(answer, instance);  // the class: 0 the system's, 1 the device's own
  put16(answer, instance);
  put32(answer, instance ? 65536 : 4096);
  put64(answer, bytes);
  put64(answer, 0);                     // used
  put64(answer, instance ? bytes : 0);  // that the processor sees
  put64(answer, 0);
  for (int reserved = 0; reserved < 6; ++reserved) put64(answer, 0);
}

static void memory_regions(struct answer* answer) {
  put32(answer, gpu->vram ? 2 : 1);
  put32(answer, 0);
  memory_region(answer, 0, system_bytes);
  if (gpu->vram) memory_region(answer, 1, gpu->vram);
}

static void config(struct answer* answer) {
  put32(answer, 5);
  put32(answer, 0);
  put64(answer, (uint64_t)gpu->revision << 16 | gpu->device);
  put64(answer, gpu->vram != 0);            // flags
  put64(answer, gpu->vram ? 65536 : 4096);  // alignment
  put64(answer, 48);                        // bits of an address
  put64(answer, 1);                         // highest priority of a queue
}

static void gt_list(struct answer* answer) {
  put32(answer, 1);
  put32(answer, 0);
  put16(answer, 0);  // main, not media
  put16(answer, 0);  // tile
  put16(answer, first_gt);
  for (int pad = 0; pad < 3; ++pad) put16(answer, 0);
  put32(answer, gpu->clock);
  put64(answer, gpu->vram ? 2 : 1);  // regions nearby, as bits
  put64(answer, gpu->vram ? 1 : 0);  // and far
  put16(answer, gpu->ip_major);
  put16(answer, gpu->ip_minor);
  put16(answer, 0);
  put16(answer, 0);
  for (int reserved = 0; reserved < 7; ++reserved) put64(answer, 0);
}

static void mask(struct answer* answer, uint16_t type, uint32_t ones) {
  const uint64_t bits = (UINT64_C(1) << ones) - 1;
  put16(answer, first_gt);
  put16(answer, type);
  put32(answer, 8);
  put64(answer, bits);
}

static void topology(struct answer* answer) {
  enum { geometry = 1, compute = 2, eu_per_core = 4, simd16_eu_per_core = 5 };
  mask(answer, geometry, gpu->cores);
  mask(answer, compute, gpu->cores);
  mask(answer, gpu->simd16 ? simd16_eu_per_core : eu_per_core, gpu->units);
}

static int engine_cycles(void* data) {
  struct {
    struct xe_engine_id id;
    int32_t clock;
    uint32_t width;
    uint64_t cycles, cpu_time, cpu_delta;
  }* cycles = data;
  struct timespec now;
  if (clock_gettime(cycles->clock, &now)) return EINVAL;
  cycles->width = 36;
  cycles->cpu_time = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
  cycles->cycles = cycles->cpu_time / 1000 * (gpu->clock / 100000) / 10 & ((UINT64_C(1) << 36) - 1);
  cycles->cpu_delta = 1;
  return 0;
}

static int device_query(void* argument) {
  enum { of_engines, of_memory, of_config, of_gts, of_hwconfig, of_topology, of_cycles };
  struct {
    uint64_t extensions;
    uint32_t query, size;
    uint64_t data;
  }* ask = argument;
  struct answer answer = {.size = 0};
  switch (ask->query) {
    case of_engines: engines(&answer); break;
    case of_memory: memory_regions(&answer); break;
    case of_config: config(&answer); break;
    case of_gts: gt_list(&answer); break;
    case of_hwconfig: break;  // none, as on a GPU whose firmware has no such table
    case of_topology: topology(&answer); break;
    case of_cycles:
      if (ask->size == 0) return ask->size = 40, 0;
      return engine_cycles(at(ask->data));
    default: return EINVAL;
  }
  if (ask->size == 0)
    ask->size = answer.size;
  else if (ask->size != answer.size)
    return EINVAL;
  else
    memcpy(at(ask->data), answer.bytes, answer.size);
  return 0;
}

static int gem_create(void* argument) {
  struct {
    uint64_t extensions, size;
    uint32_t placement, flags, vm, handle;
  }* create = argument;
  return create_object(create->size, &create->handle);
}

static int gem_mmap_offset(void* argument) {
  struct {
    uint64_t extensions;
    uint32_t handle, flags;
    uint64_t offset;
  }* map = argument;
  const struct object* object = object_of(map->handle);
  if (!object) return ENOENT;
  map->offset = (uint64_t)object->offset;
  return 0;
}

struct xe_sync {
  uint64_t extensions;
  uint32_t type, flags;
  uint64_t handle_or_address, point, reserved[2];
};

// `here`: a fence in memory is at an address of this process, not of the GPU.
static int signal_all(uint64_t address, uint32_t count, bool here) {
  enum { binary, timeline, fence, signals = 1 };
  const struct xe_sync* syncs = at(address);
  for (uint32_t i = 0; i < count; ++i) {
    if (!(syncs[i].flags & signals)) continue;
    if (syncs[i].type == fence) {
      if (here) *(uint64_t*)at(syncs[i].handle_or_address) = syncs[i].point;
      continue;
    }
    const int failed = signal_syncobj((uint32_t)syncs[i].handle_or_address, syncs[i].type == timeline ? syncs[i].point : 0);
    if (failed) return failed;
  }
  return 0;
}

static int vm_bind(void* argument) {
  struct {
    uint64_t extensions;
    uint32_t vm, queue, pad, bind_count;
    uint64_t bind[10];  // one, or the address of several
    uint32_t pad2, sync_count;
    uint64_t syncs;
  }* bind = argument;
  return signal_all(bind->syncs, bind->sync_count, true);
}

static int exec(void* argument) {
  struct {
    uint64_t extensions;
    uint32_t queue, sync_count;
    uint64_t syncs;
  }* exec = argument;
  return signal_all(exec->syncs, exec->sync_count, false);
}

static uint32_t next_id = 1;  // of address spaces and queues

static int vm_create(void* argument) {
  struct {
    uint64_t extensions;
    uint32_t flags, vm;
  }* create = argument;
  create->vm = next_id++;
  return 0;
}

static int exec_queue_create(void* argument) {
  struct {
    uint64_t extensions;
    uint16_t width, placements;
    uint32_t vm, flags, queue;
  }* create = argument;
  create->queue = next_id++;
  return 0;
}

static int exec_queue_get_property(void* argument) {
  struct {
    uint64_t extensions;
    uint32_t queue, property;
    uint64_t value;
  }* get = argument;
  get->value = 0;  // not banned
  return 0;
}

static int call(unsigned number, void* argument) {
  switch (number) {
    case 0x00: return version(argument);
    case 0x09: return close_object(*(uint32_t*)argument);
    case 0x0c: return get_cap(argument);
    case 0xbf: return syncobj_create(argument);
    case 0xc0: return syncobj_destroy(argument);
    case 0xc3: return syncobj_wait(argument);
    case 0xc4: return syncobj_each(argument, true);
    case 0xc5: return syncobj_each(argument, false);
    case 0xca: return syncobj_timeline_wait(argument);
    case 0xcb: return syncobj_timeline_each(argument, true);
    case 0xcc: return syncobj_transfer(argument);
    case 0xcd: return syncobj_timeline_each(argument, false);
    case 0x40: return device_query(argument);
    case 0x41: return gem_create(argument);
    case 0x42: return gem_mmap_offset(argument);
    case 0x43: return vm_create(argument);
    case 0x44: return 0;  // vm_destroy
    case 0x45: return vm_bind(argument);
    case 0x46: return exec_queue_create(argument);
    case 0x47: return 0;  // exec_queue_destroy
    case 0x48: return exec_queue_get_property(argument);
    case 0x49: return exec(argument);
    case 0x4a: return 0;  // wait_user_fence: all is done
    default:
      fprintf(stderr, "intel_shim: unknown ioctl 0x%02x\n", number);
      return EINVAL;
  }
}

int ioctl(int fd, unsigned long request, ...) {
  va_list rest;
  va_start(rest, request);
  void* argument = va_arg(rest, void*);
  va_end(rest);
  if (_IOC_TYPE(request) != 'd' || !is_node(fd)) return (int)syscall(SYS_ioctl, fd, request, argument);
  pthread_mutex_lock(&lock);
  const int failed = call(_IOC_NR(request), argument);
  pthread_mutex_unlock(&lock);
  if (!failed) return 0;
  errno = failed;
  return -1;
}
