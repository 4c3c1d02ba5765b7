"""The form that people sign in with."""

from typing import TYPE_CHECKING

from django.core.exceptions import ValidationError

from accounts.actions import sign_ins
from accounts.models import User
from compliance.requests import nobody_at

if TYPE_CHECKING:
    from django.contrib.admin.forms import AdminAuthenticationForm as AuthenticationForm
else:
    from unfold.forms import AuthenticationForm


class SignInForm(AuthenticationForm):
    """Puts those on record who know their password and may not sign in: Django tells nobody of them."""

    def confirm_login_allowed(self, user: User) -> None:
        try:
            super().confirm_login_allowed(user)
        except ValidationError:
            sign_ins.failed(username=user.get_username(), by=nobody_at(self.request), reason=sign_ins.MAY_NOT)
            raise
