"""The admin's site: sign-in within limits, and one's own password changed by an action."""

from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

from django.contrib.auth.views import PasswordChangeView
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from accounts.actions import sign_ins, users
from compliance.limits import limited
from compliance.requests import actor_of, nobody_at

if TYPE_CHECKING:
    from django.contrib.admin import AdminSite
else:
    from unfold.sites import UnfoldAdminSite as AdminSite


class PortcullisSite(AdminSite):
    index_title = "Overview"
    site_title = "Portcullis"
    enable_nav_sidebar = True

    def register(self, model_or_iterable: Any, admin_class: Any = None, **options: Any) -> None:
        """Takes only admins whose writes go through actions; those that libraries bring along are left out."""
        from compliance.admin.base import GovernedAdmin, ReadOnlyAdmin  # registers its own page with this site

        if admin_class is not None and issubclass(admin_class, (GovernedAdmin, ReadOnlyAdmin)):
            super().register(model_or_iterable, admin_class, **options)

    def __init__(self, name: str = "admin") -> None:
        from accounts.sign_in_form import SignInForm

        super().__init__(name)
        self.login_form = SignInForm

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        response = self._login(request, extra_context)
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            sign_ins.refused(by=nobody_at(request))
        return response

    @limited(group="sign-in", rate="10/m", what="tried to sign in")
    def _login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return super().login(request, extra_context)

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        from compliance.admin import verification

        return {**super().each_context(request), "audit_alarm": verification.banner(request)}

    def autocomplete_view(self, request: HttpRequest) -> HttpResponse:
        from compliance.admin.autocomplete import NamedAutocompleteView

        return cast(HttpResponse, NamedAutocompleteView.as_view(admin_site=self)(request))

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        from unfold.forms import AdminOwnPasswordChangeForm

        view = OwnPasswordChange.as_view(
            form_class=AdminOwnPasswordChangeForm,
            template_name="registration/password_change_form.html",
            success_url=reverse("admin:password_change_done"),
            extra_context={**self.each_context(request), **(extra_context or {})},
        )
        return cast(TemplateResponse, view(request))


class OwnPasswordChange(PasswordChangeView):
    """Sets the password through the action, so that the audit log knows."""

    def form_valid(self, form: Any) -> HttpResponse:
        password, by = form.cleaned_data["new_password1"], actor_of(self.request)
        form.save = lambda: users.set_password(user=form.user, password=password, by=by)
        return super().form_valid(form)
