/* What gcc's libraries for the GNU C library ask of it, and musl does not have. */
#define _GNU_SOURCE
#include <link.h>
#include <stddef.h>

/* As <dlfcn.h> of the GNU C library has it from 2.35 on. */
struct dl_find_object {
  unsigned long long flags;
  void *map_start, *map_end;
  struct link_map *link_map;
  void *eh_frame;
  unsigned long long reserved[7];
};

struct search {
  size_t address;
  struct dl_find_object *found;
};

static int look(struct dl_phdr_info *info, size_t size, void *data) {
  struct search *search = data;
  void *eh_frame = NULL;
  size_t start = 0, end = 0;
  (void)size;
  for (int i = 0; i < info->dlpi_phnum; i++) {
    const ElfW(Phdr) *header = &info->dlpi_phdr[i];
    size_t at = info->dlpi_addr + header->p_vaddr;
    if (header->p_type == PT_GNU_EH_FRAME) eh_frame = (void *)at;
    if (header->p_type == PT_LOAD && search->address - at < header->p_memsz) {
      start = at;
      end = at + header->p_memsz;
    }
  }
  if (end == 0 || eh_frame == NULL) return 0;
  search->found->flags = 0;
  search->found->map_start = (void *)start;
  search->found->map_end = (void *)end;
  search->found->link_map = NULL;
  search->found->eh_frame = eh_frame;
  return 1;
}

/* Where the unwinder finds what it knows of an address. */
int _dl_find_object(void *address, struct dl_find_object *found) {
  struct search search = {(size_t)address, found};
  return dl_iterate_phdr(look, &search) == 1 ? 0 : -1;
}

/* Of libgcc, which is not linked. */
int __popcountdi2(unsigned long long bits) {
  int count = 0;
  for (; bits != 0; bits &= bits - 1) count++;
  return count;
}
