/* balloon_inflate and balloon_deflate. */

#include "suite.h"

/* A page that is mapped nowhere, so that its frame can go; it has one again after the test. */
static PvPfn page_to_give(void) {
  PvPfn page = fresh_page();
  if (unmap(page) != PV_STATUS_SUCCESS) failed(__FILE__, __LINE__, "a page can be unmapped");
  return page;
}

/* Gives the frames of pages away, in order. */
static PvResult inflate(const PvPfn *pages, uint64_t count) {
  for (uint64_t i = 0; i < count; i++) argument()[i] = frame_of(pages[i]);
  PvResult result = pv_balloon_inflate(count, PV_ORDER_FRAME);
  for (uint64_t i = 0; i < result.value; i++) *p2m_slot(pages[i]) = PV_MFN_NONE;
  return result;
}

/* A frame number alone. */
static PvResult inflate_frame(PvMfn frame) {
  argument()[0] = frame;
  return pv_balloon_inflate(1, PV_ORDER_FRAME);
}

/* Takes frames for pages, and maps them. */
static PvResult deflate(const PvPfn *pages, uint64_t count) {
  PvResult result = pv_balloon_deflate(count, PV_ORDER_FRAME);
  for (uint64_t i = 0; i < result.value; i++) *p2m_slot(pages[i]) = argument()[i];
  for (uint64_t i = 0; i < result.value; i++) {
    if (remap(pages[i], FOR_WRITING) != PV_STATUS_SUCCESS) {
      failed(__FILE__, __LINE__, "a frame of the balloon can be mapped");
    }
  }
  return result;
}

static void inflate_one(void) {
  uint64_t before = query(OWN).frames;
  PvPfn page = page_to_give();
  PvResult result = inflate(&page, 1);
  EQUAL(result.status, PV_STATUS_SUCCESS);
  EQUAL(result.value, 1);
  EQUAL(query(OWN).frames, before - 1);
}

static void inflate_several(void) {
  uint64_t before = query(OWN).frames;
  PvPfn pages[8];
  for (int i = 0; i < 8; i++) pages[i] = page_to_give();
  PvResult result = inflate(pages, 8);
  EQUAL(result.status, PV_STATUS_SUCCESS);
  EQUAL(result.value, 8);
  EQUAL(query(OWN).frames, before - 8);
}

static void frame_is_gone(void) {
  PvPfn page = page_to_give();
  PvMfn frame = frame_of(page);
  OK(inflate(&page, 1));
  uint64_t entry = leaf(frame, FOR_READING);
  REFUSED(pv_pte_update(0, page_target(address_of(page)), entry), PV_ERROR_NOT_OWNER);
  REFUSED(inflate_frame(frame), PV_ERROR_NOT_OWNER);
}

static void scrubbed(void) {
  PvPfn pages[8];
  for (int i = 0; i < 8; i++) {
    pages[i] = fresh_page();
    for (int j = 0; j < 512; j++) words_of(pages[i])[j] = 0x5ec2e7;
    EQUAL(unmap(pages[i]), PV_STATUS_SUCCESS);
  }
  OK(inflate(pages, 8));
  OK(deflate(pages, 8));
  for (int i = 0; i < 8; i++) {
    for (int j = 0; j < 512; j++) EQUAL(words_of(pages[i])[j], 0);
  }
}

static void inflate_bad_count(void) {
  REFUSED(pv_balloon_inflate(0, PV_ORDER_FRAME), PV_ERROR_BAD_ARGUMENT);
  REFUSED(pv_balloon_inflate(PV_BALLOON_INFLATE_MAX + 1, PV_ORDER_FRAME), PV_ERROR_BAD_ARGUMENT);
  REFUSED(pv_balloon_inflate(UINT64_MAX, PV_ORDER_FRAME), PV_ERROR_BAD_ARGUMENT);
}

static void bad_frame(void) {
  REFUSED(inflate_frame(BEYOND), PV_ERROR_BAD_FRAME);
  REFUSED(inflate_frame(PV_MFN_NONE), PV_ERROR_BAD_FRAME);
}

static void not_owner(void) {
  REFUSED(inflate_frame(hypervisor_frame()), PV_ERROR_NOT_OWNER);
  REFUSED(inflate_frame(foreign_frame()), PV_ERROR_NOT_OWNER);
}

static void mapped(void) {
  REFUSED(inflate_frame(frame_of(fresh_page())), PV_ERROR_BUSY);
}

static void mapped_for_reading(void) {
  REFUSED(inflate_frame(frame_of(quiet_page())), PV_ERROR_BUSY);
}

static void page_table(void) {
  REFUSED(inflate_frame(frame_of(empty_table(1))), PV_ERROR_BUSY);
}

static void granted(void) {
  NEED_PEER();
  PvPfn page = unmapped_page();
  OK(share(OWN, peer(), frame_of(page), PV_ACCESS_READ));
  REFUSED(inflate_frame(frame_of(page)), PV_ERROR_BUSY);
}

static void registered(void) {
  REFUSED(inflate_frame(frame_of(PV_VCPU_PAGE_PFN)), PV_ERROR_BUSY);
  REFUSED(inflate_frame(frame_of(PV_ARGUMENT_PFN)), PV_ERROR_BUSY);
}

static void same_frame_twice(void) {
  PvPfn page = page_to_give();
  argument()[0] = argument()[1] = frame_of(page);
  *p2m_slot(page) = PV_MFN_NONE;
  PvResult result = pv_balloon_inflate(2, PV_ORDER_FRAME);
  EQUAL(result.status, PV_ERROR_NOT_OWNER);
  EQUAL(result.value, 1);
}

static void prefix(void) {
  PvPfn pages[3] = {page_to_give(), fresh_page(), page_to_give()};
  PvResult result = inflate(pages, 3);
  EQUAL(result.status, PV_ERROR_BUSY);
  EQUAL(result.value, 1);
  /* What stands behind the refused one is ours as before. */
  EQUAL(remap(pages[2], FOR_WRITING), PV_STATUS_SUCCESS);
}

static void deflate_several(void) {
  PvPfn pages[8];
  for (int i = 0; i < 8; i++) pages[i] = page_to_give();
  OK(inflate(pages, 8));
  uint64_t before = query(OWN).frames;
  PvResult result = deflate(pages, 8);
  EQUAL(result.status, PV_STATUS_SUCCESS);
  EQUAL(result.value, 8);
  EQUAL(query(OWN).frames, before + 8);
  for (int i = 0; i < 8; i++) {
    for (int j = 0; j < i; j++) CHECK(frame_of(pages[i]) != frame_of(pages[j]));
  }
}

static void frames_are_zeros(void) {
  PvPfn page = page_to_give();
  OK(inflate(&page, 1));
  OK(deflate(&page, 1));
  for (int i = 0; i < 512; i++) EQUAL(words_of(page)[i], 0);
}

static void rest_of_argument_frame(void) {
  PvPfn page = page_to_give();
  OK(inflate(&page, 1));
  for (int i = 0; i < 512; i++) argument()[i] = 0xa5a5;
  PvResult result = pv_balloon_deflate(1, PV_ORDER_FRAME);
  EQUAL(result.status, PV_STATUS_SUCCESS);
  *p2m_slot(page) = argument()[0];
  for (int i = 1; i < 512; i++) EQUAL(argument()[i], 0xa5a5);
}

static void deflate_bad_count(void) {
  REFUSED(pv_balloon_deflate(0, PV_ORDER_FRAME), PV_ERROR_BAD_ARGUMENT);
  REFUSED(pv_balloon_deflate(PV_BALLOON_DEFLATE_MAX + 1, PV_ORDER_FRAME), PV_ERROR_BAD_ARGUMENT);
}

const Test balloon_inflate_tests[] = {
    TEST_AS(balloon_inflate, one, inflate_one, "BALLOON_INFLATE.5"),
    TEST_AS(balloon_inflate, several, inflate_several, "BALLOON_INFLATE.5"),
    TEST(balloon_inflate, frame_is_gone, "BALLOON_INFLATE.5"),
    TEST(balloon_inflate, scrubbed, "BALLOON_INFLATE.6 BALLOON_DEFLATE.5 BALLOON_DEFLATE.7 FRAME.2"),
    TEST_AS(balloon_inflate, bad_count, inflate_bad_count, "BALLOON_INFLATE.1"),
    TEST(balloon_inflate, bad_frame, "BALLOON_INFLATE.2"),
    TEST(balloon_inflate, not_owner, "BALLOON_INFLATE.3"),
    TEST(balloon_inflate, mapped, "BALLOON_INFLATE.4"),
    TEST(balloon_inflate, mapped_for_reading, "BALLOON_INFLATE.4"),
    TEST(balloon_inflate, page_table, "BALLOON_INFLATE.4"),
    TEST(balloon_inflate, granted, "BALLOON_INFLATE.4"),
    TEST(balloon_inflate, registered, "BALLOON_INFLATE.4 VCPU.1 FRAME.13"),
    TEST(balloon_inflate, same_frame_twice, "BALLOON_INFLATE.3"),
    TEST(balloon_inflate, prefix, "BALLOON_INFLATE.5 ERROR.2"),
    END,
};

const Test balloon_deflate_tests[] = {
    TEST_AS(balloon_deflate, several, deflate_several, "BALLOON_DEFLATE.4 BALLOON_DEFLATE.6"),
    TEST(balloon_deflate, frames_are_zeros, "BALLOON_DEFLATE.5 FRAME.3 FRAME.19"),
    TEST(balloon_deflate, rest_of_argument_frame, "BALLOON_DEFLATE.6"),
    TEST_AS(balloon_deflate, bad_count, deflate_bad_count, "BALLOON_DEFLATE.1"),
    END,
};
