package caddymodule

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/screenpop/caddy-screenpop/internal/xucmgt"
)

// serveCall answers one ringing call.
func (h *Handler) serveCall(w http.ResponseWriter, r *http.Request, allowed bool, arrived time.Time) {
	if !allowed {
		h.logOrigin(r)
		refuse(w, http.StatusForbidden, "origin_not_allowed",
			"this page's origin is not one of those that screen_pop serves; the administrator can add it to origins")
		return
	}
	call, rejected := readCall(w, r)
	if rejected != nil {
		h.logRejected(rejected)
		refuse(w, rejected.status, rejected.code, rejected.message)
		return
	}
	t := h.decide(r.Context(), call, arrived, h.visitorOf(r))
	t.abandoned = r.Context().Err() != nil
	writeAnswer(w, t.answer)
	h.log(t)
}

// maxDiscarded bounds how much of an oversized body is read to its end, in bytes.
const maxDiscarded = 16 << 20

// rejection is why a request is not a call.
type rejection struct {
	status        int
	code, message string
}

// readCall reads and decodes the request.
func readCall(w http.ResponseWriter, r *http.Request) (xucmgt.Call, *rejection) {
	if rejected := checkMedia(r.Header); rejected != nil {
		return xucmgt.Call{}, rejected
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, xucmgt.MaxBody))
	if err != nil {
		// A client that is still sending would see a broken connection instead
		// of the reason.
		_, _ = io.CopyN(io.Discard, r.Body, maxDiscarded)
		return xucmgt.Call{}, bodyRejection(err)
	}
	call, err := xucmgt.Decode(body)
	if wrong, ok := errors.AsType[*xucmgt.DecodeError](err); ok {
		return xucmgt.Call{}, &rejection{http.StatusBadRequest, wrong.Code, wrong.Message}
	}
	if err != nil {
		return xucmgt.Call{}, &rejection{http.StatusBadRequest, "unreadable", "the call could not be read"}
	}
	return call, nil
}

// checkMedia insists on JSON: a page of another site can post text/plain
// without asking first, but not JSON.
func checkMedia(header http.Header) *rejection {
	contentType := header.Get("Content-Type")
	mediaType, charset := "application/json", "utf-8"
	if contentType != usualMedia {
		mediaType, charset = mediaOf(contentType)
	}
	switch {
	case mediaType != "application/json":
		return &rejection{
			http.StatusUnsupportedMediaType, "unsupported_media_type",
			"the call must be sent as Content-Type: application/json",
		}
	case charset != "" && charset != "utf-8" && charset != "utf8":
		return &rejection{http.StatusUnsupportedMediaType, "unsupported_charset", "the call must be sent in UTF-8"}
	case header.Get("Content-Encoding") != "":
		return &rejection{http.StatusUnsupportedMediaType, "unsupported_encoding", "the call must be sent without a Content-Encoding"}
	}
	return nil
}

// usualMedia is what XucMgt sends.
const usualMedia = "application/json;charset=utf-8"

// mediaOf reads a Content-Type; what can't be read is no media type.
func mediaOf(contentType string) (mediaType, charset string) {
	mediaType, parameters, err := mime.ParseMediaType(contentType)
	if err != nil {
		return "", ""
	}
	return mediaType, strings.ToLower(parameters["charset"])
}

// bodyRejection tells a body that is too large, by our limit or by an outer
// request_body directive, from one that broke off.
func bodyRejection(err error) *rejection {
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &rejection{
			http.StatusRequestEntityTooLarge, "too_large",
			fmt.Sprintf("the body is larger than %d bytes; a call is much smaller", tooLarge.Limit),
		}
	}
	return &rejection{http.StatusBadRequest, "unreadable", "the body could not be read to its end"}
}

// writeAnswer sends what XucMgt is to do.
func writeAnswer(w http.ResponseWriter, answer xucmgt.Answer) {
	body, _ := answer.MarshalJSON() // texts can always be written
	writeBody(w, http.StatusOK, append(body, '\n'))
}

// refuse sends a mistake of the client's, in words for whoever mends it.
func refuse(w http.ResponseWriter, status int, code, message string) {
	type problem struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(map[string]problem{"error": {code, message}}) // texts can always be written
	writeBody(w, status, body.Bytes())
}

func writeBody(w http.ResponseWriter, status int, body []byte) {
	header := w.Header()
	header.Set("Content-Type", "application/json; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(status)
	_, _ = w.Write(body) // a browser that went away has no use for an error
}
